//! A larger threshold never shows more: neither a cell, nor a sum, whatever complements are chosen.

use crate::world::{Release, Row, Secret, Shown, VERSION, people};
use mayag_disclosure::{
    KeyKind, Memory, Protected, Protections, ReleaseContext, Unprotected, protect_question,
};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::prop_assert;

fn shown(releases: &[Release], protections: Protections) -> Vec<Release> {
    let context = ReleaseContext {
        dataset: "seizures".to_owned(),
        version: VERSION,
        protections,
        kinds: Vec::new(),
    };
    let releases =
        releases.iter().map(|release| (Unprotected::new(release.clone()), context.clone()));
    let question = protect_question(releases.collect(), &Secret(3), &Memory::default());
    question.into_releases().into_iter().map(Protected::into_inner).collect()
}

/// A table of three lines and four columns: its cells, its margins, and its total.
fn table(counts: &[u32]) -> Vec<Release> {
    let rows: Vec<Row> =
        (0_u32..).zip(counts).flat_map(|(atom, count)| people(atom * 1000, *count, atom)).collect();
    let cells: Vec<_> = (0..12).map(|atom| (vec![atom], vec![atom / 4, atom % 4])).collect();
    let lines: Vec<Vec<u32>> = (0..3).map(|line| (4 * line..4 * line + 4).collect()).collect();
    let columns: Vec<Vec<u32>> =
        (0..4).map(|column| vec![column, column + 4, column + 8]).collect();
    let plain = |groups: &[Vec<u32>]| {
        Release::plain(&rows, &groups.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let all: Vec<u32> = (0..12).collect();
    vec![
        Release::new(&rows, &cells, vec![KeyKind::Frame, KeyKind::Category], None),
        plain(&lines),
        plain(&columns),
        plain(&[all]),
    ]
}

proptest! {
    #[test]
    fn a_larger_threshold_never_shows_more(
        counts in vec(0_u32..40, 12),
        least in 5_u64..12,
        more in 1_u64..12,
        noisy in any::<bool>(),
        asked in 1_usize..5,
    ) {
        let releases = &table(&counts)[..asked];
        let protections = |min_units| if noisy {
            Protections::noisy(min_units)
        } else {
            Protections::exact(min_units, 10)
        };
        let wide = shown(releases, protections(least));
        let narrow = shown(releases, protections(least + more));
        for (wide, narrow) in wide.iter().zip(&narrow) {
            for (cell, (wide, narrow)) in wide.shown.iter().zip(&narrow.shown).enumerate() {
                for (wide, narrow) in wide.iter().zip(narrow) {
                    prop_assert!(
                        *narrow == Shown::Nothing || wide == narrow,
                        "cell {cell}: {wide:?} under the smaller threshold, {narrow:?} under the larger"
                    );
                }
            }
        }
    }
}
