//! Protections and limits of a grant: what is not given, what the federation asks for, and what contradicts itself.

use crate::catalogue::{Dataset, Kind};
use crate::document::problem::Problem;
use crate::document::protections::{Bounds, Budget, Dominance, Noise, Protections, Switch};
use crate::document::rule::Rule;
use crate::document::written::{
    ColumnUse, DocumentGrant, WrittenNoise, WrittenNoiseTable, WrittenSwitch,
};
use crate::shape::Aggregate;
use mayag_protocol::names::ColumnName;

/// The protections that a grant means. Persons are protected by noise and the guard unless the grant says more.
pub(super) fn protections(written: &DocumentGrant, dataset: &Dataset) -> Protections {
    let default = WrittenNoiseTable::default();
    let on =
        |table: WrittenNoiseTable| Noise::On { largest: table.largest, variance: table.variance };
    let noise = match (&written.noise, dataset.has_person_unit()) {
        (Some(WrittenNoise::On(table)), _) => on(*table),
        (None | Some(WrittenNoise::Off(_)), true) => on(default),
        (None | Some(WrittenNoise::Off(_)), false) => Noise::Off,
    };
    let difference_guard = match (written.difference_guard, dataset.has_person_unit()) {
        (Some(WrittenSwitch::On), _) | (None, true) => Switch::On,
        (Some(WrittenSwitch::Off), _) | (None, false) => Switch::Off,
    };
    Protections {
        min_units: written.min_units,
        p_percent: written.p_percent,
        dominance: Dominance { units: written.dominance.units, percent: written.dominance.percent },
        one_category_percent: written.one_category_percent,
        noise,
        most_rows: written.most_rows,
        round_to: written.round_to,
        difference_guard,
        most_levels: written.most_levels,
    }
}

/// The budget that a grant means.
pub(super) fn budget(written: &DocumentGrant) -> Budget {
    Budget {
        person: written.budget.person,
        country: written.budget.country,
        dataset: written.budget.dataset,
    }
}

/// The bounds of a measure; `None` where one unit might contribute anything, or nothing at all.
pub(super) fn bounds(low: Option<i64>, high: Option<i64>) -> Option<Bounds> {
    let bounds = Bounds { low: low.unwrap_or(0).min(0), high: high?.max(0) };
    (bounds.largest() > 0).then_some(bounds)
}

/// What the limits of a grant contradict.
pub(super) fn problems(place: &str, written: &DocumentGrant, dataset: &Dataset) -> Vec<Problem> {
    let mut problems = Vec::new();
    if dataset.has_person_unit() {
        if written.waiver.is_none() {
            let message = format!(
                "`waiver` is missing: `{}` protects persons, and computing answers over them when they are asked for \
                 needs a recorded legal reason",
                dataset.name
            );
            problems.push(Problem::at_key(Rule::WaiverMissing, place, message));
        }
        if let Some(WrittenNoise::Off(_)) = written.noise {
            let message = format!("noise cannot be off: `{}` protects persons", dataset.name);
            problems.push(Problem::new(
                Rule::NoiseOffForPersons,
                format!("{place}/noise"),
                message,
            ));
        }
    }
    if let Some(WrittenNoise::On(table)) = &written.noise
        && 3 * table.variance > table.largest * (table.largest + 1)
    {
        let most = table.largest * (table.largest + 1) / 3;
        let message = format!(
            "`variance` is {}, the most that deviations up to {} can have is {most}",
            table.variance, table.largest
        );
        problems.push(Problem::new(
            Rule::NoiseImpossible,
            format!("{place}/noise/variance"),
            message,
        ));
    }
    if protections(written, dataset).noise.on() {
        let measures = written.columns.iter();
        let is_one = |name: &ColumnName| {
            let column = dataset.column(name.as_str());
            column.is_some_and(|column| matches!(column.kind, Kind::Measure { .. }))
        };
        let measures = measures.filter(|(name, _)| is_one(name));
        problems.extend(measures.filter_map(|(name, used)| noisy_measure(place, name, used)));
    }
    problems
}

/// Where noise is on, a sum needs bounds to be scaled to, and squares have none.
fn noisy_measure(place: &str, name: &ColumnName, used: &ColumnUse) -> Option<Problem> {
    let ColumnUse::Measure { aggregates, low, high } = used else { return None };
    let place = format!("{place}/columns/{name}/measure");
    let squares = aggregates.iter().position(|of| {
        matches!(
            of,
            Aggregate::Correlation
                | Aggregate::Covariance
                | Aggregate::Stddev
                | Aggregate::Variance
        )
    });
    if let Some(i) = squares {
        let message = "variances, covariances and correlations are not answered where noise is on";
        return Some(
            Problem::new(Rule::SquaresUnderNoise, format!("{place}/aggregates/{i}"), message)
                .help("share `sum` and `avg`, or switch noise off for a dataset without persons"),
        );
    }
    let sums = aggregates.iter().any(|of| matches!(of, Aggregate::Avg | Aggregate::Sum));
    (sums && bounds(*low, *high).is_none()).then(|| {
        let message = "`high` is missing: noise is scaled to the most that one unit contributes to a sum";
        Problem::at_key(Rule::BoundMissing, place, message)
            .help("choose it from what is known to everybody, not from your data; larger contributions are cut to it")
    })
}
