//! Different levels counted beside other measures, by the product's own countries, in this process: the other measures are
//! answered as finely as without them where the levels leave it open who is behind them, all cells are as the naive
//! implementation allows, and the counts of levels are those that follow from the cells shown.

use super::catalogues::Setting;
use super::checks::{Asked, Seen, Signed};
use super::dice::Dice;
use super::grammar::{Condition, Key, Meaning};
use super::thousands::country::Countries;
use super::thousands::plan_and_decide;
use mayag_integration_tests::attacks::federation::Regime;
use mayag_integration_tests::attacks::fixture::{COUNTRIES, Database, Row};
use mayag_integration_tests::attacks::said::{Cells, Value, cells, signed_cells};
use mayag_queries::merge::{Part, check_listed, fold, read_part};
use mayag_queries::release::Release;
use std::collections::{BTreeMap, BTreeSet};

/// Questions of each kind.
const QUESTIONS: u64 = 30;

/// A question with counts of levels, and the same without them.
struct Counted {
    with: String,
    without: String,
    /// Rows as they follow from one release by all levels, where so many may be combined.
    fine: Option<String>,
    /// The meaning of the question, as if the counted levels were keys.
    meaning: Meaning,
    /// The columns whose values are counted.
    levels: Vec<&'static str>,
}

struct Answered {
    releases: Vec<Release>,
    signed: Vec<Signed>,
    merged: Cells,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counted_levels_cost_the_other_measures_little() {
    for (setting, regime) in
        [(Setting::parcels(), Regime::Exact), (Setting::persons(), Regime::Live)]
    {
        let rows = Database::Whole.rows();
        // What one federation remembers of the one question would change its answers to the other.
        let counting = Countries::start(&setting, &rows).await;
        let plain = Countries::start(&setting, &rows).await;
        let fine = Countries::start(&setting, &rows).await;
        let (mut seen, mut counts, mut whole_sums) = (Seen::default(), 0, [0; 3]);
        for seed in 0..QUESTIONS {
            let mut dice = Dice::new(70_000_000 + seed);
            let question = draw(&setting, &mut dice);
            let countries = dice.some(&COUNTRIES, 2);
            let with = ask(&setting, &counting, &countries, &question.with).await;
            let without = ask(&setting, &plain, &countries, &question.without).await;
            let told = format!("seed {seed}: {}\n{countries:?}\n", question.with);
            assert_eq!(with.releases[0], without.releases[0], "{told}");
            if let Some(sql) = &question.fine {
                let together = ask(&setting, &fine, &countries, sql).await;
                let whole = [&together, &with, &without].map(whole_counts);
                whole_sums = std::array::from_fn(|i| whole_sums[i] + whole[i]);
            }
            let asked = Asked {
                setting: &setting,
                sql: &told,
                meaning: &question.meaning,
                releases: &with.releases,
                rows: &rows,
                countries: &countries,
                regime,
            };
            asked.check_signed(&with.signed, &mut seen);
            counts += check_counts(&question, &with, &told);
        }
        let [together, apart, alone] = whole_sums;
        assert!(8 * together < apart && apart <= alone && alone < 2 * apart, "{whole_sums:?}");
        assert!(100 < seen.shown && 1_000 < seen.withheld && 5 < counts, "{counts}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_measures_are_answered_as_without_levels_that_are_spread() {
    let setting = Setting::parcels();
    let mut rows = Vec::new();
    // Nine parcels in each region and twelve on each route, but three of both.
    for substance in ["cocaine", "heroin", "mdma"] {
        for region in ["NL-ZE", "NL-ZH", "BE-VAN", "DE-NW"] {
            for route in ["sea", "air", "road"] {
                rows.extend((0..3).map(|_| (substance, region, route)));
            }
        }
    }
    let row = |(number, (substance, region, route)): (usize, (_, _, _))| Row {
        seizure: u32::try_from(number).unwrap(),
        person: format!("P-{number}"),
        day: 19_800,
        country: "NL",
        region,
        substance,
        form: "powder",
        grams: 10.0,
        route,
        concealment: "none",
        precursor: None,
        note: String::new(),
    };
    let rows: Vec<Row> = rows.into_iter().enumerate().map(row).collect();
    let (plain, counts) =
        ("count(*) AS v0", "count(DISTINCT region) AS c0, count(DISTINCT route) AS c1");
    let [with, without] = [format!("{plain}, {counts}"), plain.to_owned()]
        .map(|measures| format!("SELECT substance AS k0, {measures} FROM seizures GROUP BY 1"));
    let countries = Countries::start(&setting, &rows).await;
    let with = ask(&setting, &countries, &["nl"], &with).await;
    let countries = Countries::start(&setting, &rows).await;
    let without = ask(&setting, &countries, &["nl"], &without).await;
    let first = |answered: Answered| answered.signed.into_iter().find(|part| part.1 == 0);
    assert_eq!((whole_counts(&with), whole_counts(&without)), (3, 3), "{:?}", with.merged);
    assert_eq!(first(with), first(without));
}

/// How many groups say how many rows they have, as far as all countries know.
fn whole_counts(answered: &Answered) -> usize {
    let Cells { columns, rows, .. } = &answered.merged;
    let at = columns.iter().position(|own| own == "v0_status").unwrap();
    let whole = |row: &&Vec<Value>| ["known", "noisy"].contains(&row[at].text().as_str());
    rows.iter().filter(whole).count()
}

/// A question with at most one key, so that a condition and a counted column leave the policy's three columns.
fn draw(setting: &Setting, dice: &mut Dice) -> Counted {
    let table = &setting.table;
    let columns: Vec<&'static str> = table.categories.iter().map(|(name, _)| *name).collect();
    let how_many = 2 + dice.below(2);
    let mut drawn = dice.some(&columns, how_many);
    let key = drawn.remove(dice.below(drawn.len()));
    let keyed = !dice.one_in(4);
    let condition = if dice.one_in(2) {
        Condition::All(Vec::new())
    } else {
        Condition::Since { month: dice.of::<&str>(&table.months) }
    };
    let filter = match &condition {
        Condition::Since { month } => format!(" WHERE {} >= DATE '{month}'", table.date),
        Condition::All(_)
        | Condition::Any(_)
        | Condition::Is { .. }
        | Condition::IsIn { .. }
        | Condition::IsNull { .. }
        | Condition::Not(_) => String::new(),
    };
    let (keys, group) =
        if keyed { (format!("{key} AS k0, "), " GROUP BY 1") } else { (String::new(), "") };
    let sums = format!(", sum({}) AS v1", table.measure);
    let plain = format!("count(*) AS v0{}", if dice.one_in(2) { &sums } else { "" });
    let counts: Vec<String> =
        drawn.iter().enumerate().map(|(i, of)| format!("count(DISTINCT {of}) AS c{i}")).collect();
    let from = format!(" FROM {}{filter}{group}", table.name);
    let all = if keyed { vec![key] } else { Vec::new() }.into_iter().chain(drawn.iter().copied());
    Counted {
        with: format!("SELECT {keys}{plain}, {}{from}", counts.join(", ")),
        without: format!("SELECT {keys}{plain}{from}"),
        fine: (drawn.len() + usize::from(keyed) + usize::from(!filter.is_empty()) <= 3).then(|| {
            format!(
            "SELECT {}sum(n) AS v0 FROM (SELECT {keys}{}, count(*) AS n FROM {}{filter} GROUP BY {}{}) t{group}",
            if keyed { "k0, " } else { "" },
            drawn.join(", "),
            table.name,
            if keyed { "1, " } else { "" },
            drawn.join(", "),
        )}),
        meaning: Meaning {
            keys: all.map(Key::Category).collect(),
            sets: Vec::new(),
            condition,
            measures: Vec::new(),
        },
        levels: drawn,
    }
}

async fn ask(
    setting: &Setting,
    countries: &Countries,
    asked: &[&'static str],
    sql: &str,
) -> Answered {
    let (plan, permits) = plan_and_decide(setting, sql).unwrap_or_else(|no| panic!("{sql}: {no}"));
    let mut parts: Vec<Vec<Part>> = plan.releases.iter().map(|_| Vec::new()).collect();
    let mut signed = Vec::new();
    for country in asked {
        let answer = countries.answer(country, setting, &permits).await;
        let answer = answer.unwrap_or_else(|failure| panic!("{sql}: {failure:?}"));
        for (i, part) in answer.iter().enumerate() {
            let release = &plan.releases[i];
            let dataset = release.dataset_in(&setting.catalogue).unwrap();
            let cells = read_part(release, &dataset, &part.bytes).unwrap();
            let read = Part { country: country.parse().unwrap(), listed: part.listed, cells };
            check_listed(release, &dataset, &read).unwrap();
            parts[i].push(read);
            signed.push(((*country).to_owned(), i, signed_cells(&part.bytes)));
        }
    }
    let folded = plan.releases.iter().zip(&parts).map(|(release, parts)| {
        let dataset = release.dataset_in(&setting.catalogue).unwrap();
        fold(release, &dataset, parts).unwrap()
    });
    let merged = plan.tail.run(folded.collect()).await.unwrap();
    let keys = (0..plan.tail.columns.len()).filter(|i| !plan.tail.columns[*i].status);
    let merged = cells(&merged, keys.collect());
    Answered { releases: plan.releases, signed, merged }
}

/// Every count of levels is the number of those of which some country shows a cell of the group. How many there are.
fn check_counts(question: &Counted, answered: &Answered, told: &str) -> usize {
    let mut checked = 0;
    for (c, column) in question.levels.iter().enumerate() {
        let keyed = question.meaning.keys.len() > question.levels.len();
        let of_column = |release: &Release| {
            let last = release.keys.last().is_some_and(|key| key.column.as_str() == *column);
            last && release.keys.len() == 1 + usize::from(keyed)
        };
        let at = answered.releases.iter().position(of_column).unwrap();
        let mut levels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, _, part) in answered.signed.iter().filter(|part| part.1 == at) {
            let shown = part.columns.iter().position(|name| name == "m0").unwrap();
            for row in part.rows.iter().filter(|row| row[shown].number().is_some()) {
                let keys: Vec<&Value> = part.keys.iter().map(|i| &row[*i]).collect();
                let group = if keyed { keys[0].text() } else { String::new() };
                let levels = levels.entry(group).or_default();
                if **keys.last().unwrap() != Value::Null {
                    levels.insert(keys.last().unwrap().text());
                }
            }
        }
        let place = |name: &str| answered.merged.columns.iter().position(|own| own == name);
        let (value, status) =
            (place(&format!("c{c}")).unwrap(), place(&format!("c{c}_status")).unwrap());
        for row in &answered.merged.rows {
            let group = if keyed { row[0].text() } else { String::new() };
            let known = levels.get(&group).map_or(0, BTreeSet::len);
            match row[value].number() {
                #[expect(clippy::cast_precision_loss, reason = "a few levels")]
                Some(count) => assert!((count - known as f64).abs() < 0.5, "{told}{row:?}"),
                None => {
                    assert_eq!((row[status].text().as_str(), known), ("suppressed", 0), "{told}");
                }
            }
            checked += usize::from(row[value].number().is_some());
        }
    }
    checked
}
