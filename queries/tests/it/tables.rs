//! Questions in text files: what a question becomes (`accepted.txt`), and why it is refused (`refused.txt`).
//!
//! A case is its SQL (one line or several), a line `=> expectation`, and an empty line. Lines with `--` are comments.

use crate::catalogue::catalogue;
use mayag_policies::shape::{Comparison, LevelRef, Literal, Predicate};
use mayag_queries::plan;
use mayag_queries::release::{MeasureOf, Output, PairSums, Release, WireMeasure};
use mayag_queries::tail::TailColumn;
use std::fmt::Write as _;

fn cases(text: &str) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for case in text.split("\n\n") {
        let lines: Vec<_> =
            case.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect();
        let Some(at) = lines.iter().position(|line| line.starts_with("=> ")) else {
            assert!(lines.is_empty(), "a case without an expectation: {case}");
            continue;
        };
        let expected: Vec<_> =
            lines[at..].iter().map(|line| line.trim_start_matches("=> ").trim()).collect();
        cases.push((lines[..at].join("\n"), expected.join("\n")));
    }
    cases
}

fn compare(text: &str, found: impl Fn(&str) -> String) {
    let mut wrong = String::new();
    let cases = cases(text);
    assert!(cases.len() > 10);
    for (sql, expected) in cases {
        let found = found(&sql);
        if found != expected {
            writeln!(wrong, "{sql}\n=> {}\n", found.replace('\n', "\n=> ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "not as written; found:\n{wrong}");
}

#[test]
fn accepted_questions_become_these_releases() {
    compare(include_str!("accepted.txt"), |sql| match plan(sql, &catalogue()) {
        Ok(plan) => {
            let mut text: Vec<_> = plan.releases.iter().map(release).collect();
            let flag = if plan.tail.undecidable() { ", undecidable" } else { "" };
            let columns: Vec<_> = plan.tail.columns.iter().map(column).collect();
            text.push(format!("columns {}{flag}", columns.join(", ")));
            text.join("\n")
        }
        Err(refusal) => format!("{refusal}"),
    });
}

#[test]
fn refused_questions_are_refused_for_these_reasons() {
    compare(include_str!("refused.txt"), |sql| match plan(sql, &catalogue()) {
        Ok(_) => "accepted".to_owned(),
        Err(refusal) => {
            format!("{} {}", refusal.code.name(), refusal.subject.unwrap_or_else(|| "-".to_owned()))
        }
    });
}

/// Every hint of the planner, and what whoever follows it writes. A new hint has to say what that is.
const FOLLOWED: &[(&str, &[&str])] = &[
    (
        "add count(*), sum(..) or another aggregate, and GROUP BY levels",
        &["SELECT region, count(*), sum(kg) FROM seizures GROUP BY region"],
    ),
    (
        "aggregate each dataset first; everything else can be done with the results",
        &[
            "SELECT upper(a.region), a.n + b.n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) a \
           JOIN (SELECT region, count(*) AS n FROM seizures GROUP BY region) b ON a.region = b.region LIMIT 1",
        ],
    ),
    (
        "group by category columns, whole numbers, or date_trunc of dates",
        &[
            "SELECT region, hour, date_trunc('month', seized_on), count(*) FROM seizures GROUP BY 1, 2, 3",
        ],
    ),
    (
        "compare category columns, whole numbers or dates with constants",
        &[
            "SELECT count(*) FROM seizures WHERE region = 'a' AND hour > 3 AND seized_on >= DATE '2024-01-01'",
        ],
    ),
    (
        "use count(*), count(DISTINCT unit), sum, avg, stddev, var or median of a measure, corr of two, min or max of a level",
        &[
            "SELECT count(*), count(DISTINCT person_id), sum(kg), avg(kg), stddev(kg), var(kg), median(quantity_g), corr(kg, items), min(region), max(hour) \
           FROM seizures",
        ],
    ),
    (
        "the catalogue declares no bins for it: ask for avg, or for sum and count",
        &["SELECT avg(items) FROM seizures", "SELECT sum(kg), count(kg) FROM batches"],
    ),
    (
        "ask one SELECT; `mayag datasets` shows what there is to ask about",
        &["SELECT count(*) FROM seizures"],
    ),
    ("leave it out; docs/questions.md says what can be asked", &[]),
    (
        "group by the year as well, or filter by one year or less; counts and sums need neither",
        &[
            "SELECT extract(year FROM seized_on) AS y, extract(month FROM seized_on) AS m, avg(kg) FROM seizures GROUP BY 1, 2",
            "SELECT extract(month FROM found_on) AS m, avg(capacity) FROM labs WHERE extract(year FROM found_on) = 2024 GROUP BY 1",
            "SELECT extract(month FROM found_on) AS m, avg(capacity) FROM labs WHERE found_on >= DATE '2023-11-01' AND found_on < DATE '2024-03-01' GROUP BY 1",
            "SELECT extract(month FROM seized_on) AS m, count(*), sum(kg) FROM seizures GROUP BY 1",
        ],
    ),
    (
        "ELSE takes rows without a value as well: name the last band by a condition instead",
        &[
            "SELECT CASE WHEN quantity_g < 10 THEN 'small' WHEN quantity_g < 100 THEN 'middle' WHEN quantity_g >= 100 THEN 'large' END AS b, count(*) FROM seizures GROUP BY 1",
        ],
    ),
    (
        "compare date_trunc of it with the first days of periods",
        &["SELECT count(*) FROM seizures WHERE date_trunc('month', seized_on) = DATE '2024-03-01'"],
    ),
    (
        "formats of dates are written like '%Y-%m' or '%d %b %Y'",
        &[
            "SELECT to_char(m, '%Y-%m'), to_char(m, '%d %b %Y') FROM (SELECT seized_on_month AS m, count(*) FROM seizures GROUP BY 1) t",
        ],
    ),
    (
        "if it is a text, write it in single quotes; `mayag datasets` lists the columns that are shared with you",
        &["SELECT count(*) FROM seizures WHERE region = 'NL-ZE'"],
    ),
    (
        "write LIMIT and the number of rows instead of FETCH FIRST",
        &["SELECT region, count(*) AS n FROM seizures GROUP BY region ORDER BY n DESC LIMIT 3"],
    ),
    (
        "write LIMIT and the number of rows at the end instead of TOP",
        &["SELECT region, count(*) AS n FROM seizures GROUP BY region ORDER BY n DESC LIMIT 3"],
    ),
    (
        "seized_on_year is the first day of a year: compare extract(year FROM seized_on) with a number",
        &["SELECT count(*) FROM seizures WHERE extract(year FROM seized_on) = 2024"],
    ),
    (
        "found_on_month is the first day of a month: compare extract(month FROM found_on) with a number",
        &["SELECT count(*) FROM labs WHERE extract(month FROM found_on) = 3"],
    ),
    (
        "group by the column as well, and write LIKE in HAVING",
        &["SELECT region, count(*) FROM seizures GROUP BY region HAVING region LIKE 'NL-%'"],
    ),
    (
        "write a month as its first day, such as '2024-01-01'",
        &["SELECT count(*) FROM labs WHERE found_on_month IN ('2024-01-01', '2024-02-01')"],
    ),
    (
        "compare extract(year FROM ..) of the date with the number, or the date with a DATE",
        &[
            "SELECT y, n FROM (SELECT seized_on_year AS y, count(*) AS n FROM seizures GROUP BY 1) t WHERE extract(year FROM y) = 2024 OR y = DATE '2023-01-01'",
        ],
    ),
    (
        "it is spelled 'water' there, and case matters",
        &["SELECT count(*) FROM seizures WHERE route_way = 'water'"],
    ),
    (
        "tested is a text: compare it with 'yes' or 'no'",
        &["SELECT count(*) FROM labs WHERE tested = 'yes'"],
    ),
    (
        "aggregate each dataset first and join the results; `mayag datasets` lists the joins of rows",
        &[
            "SELECT a.region, a.n, b.n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) a \
           JOIN (SELECT product, count(*) AS n FROM labs GROUP BY product) b ON a.region = b.product",
            "SELECT l.product, count(*) FROM batches b JOIN labs l USING (lab_id) GROUP BY 1",
        ],
    ),
    (
        "join the two datasets with USING (lab_id) and no other equation",
        &["SELECT count(*) FROM batches b JOIN labs l USING (lab_id) WHERE l.product = 'x'"],
    ),
    (
        "use the same join wherever the question reads this dataset",
        &["SELECT (SELECT count(*) FROM batches JOIN labs USING (lab_id)) - \
           (SELECT count(*) FROM batches b JOIN labs l USING (lab_id) WHERE l.product = 'x') AS d"],
    ),
    (
        "the join repeats its rows: aggregate its dataset alone, or count rows",
        &[
            "SELECT sum(capacity) FROM labs",
            "SELECT count(l.capacity) FROM batches b JOIN labs l USING (lab_id)",
        ],
    ),
    (
        "count one kind of unit in each SELECT, and join the results",
        &[
            "SELECT * FROM (SELECT count(DISTINCT b.batch_id) AS b FROM batches b JOIN labs l USING (lab_id)) x \
           CROSS JOIN (SELECT count(DISTINCT l.lab_id) AS l FROM batches b JOIN labs l USING (lab_id)) y",
        ],
    ),
];

/// Hints that offer nothing to write: where to read what is shared, limits, and damage.
const TO_READ: [&str; 4] = ["`mayag datasets` lists", "at most ", "check spelling", "look at line"];

#[test]
fn what_the_hints_of_refusals_offer_can_be_planned() {
    for (hint, written) in FOLLOWED {
        for sql in *written {
            assert!(plan(sql, &catalogue()).is_ok(), "{hint}: {sql}");
        }
    }
    let mut said = std::collections::BTreeSet::new();
    for (sql, _) in cases(include_str!("refused.txt")) {
        let hint = plan(&sql, &catalogue()).unwrap_err().hint;
        let quoted = hint.split('`').skip(1).step_by(2);
        for text in quoted.filter(|text| !text.starts_with("mayag ")) {
            assert!(plan(text, &catalogue()).is_ok(), "{sql}: {hint}");
        }
        let read = TO_READ.iter().any(|start| hint.starts_with(start));
        let followed = FOLLOWED.iter().any(|(known, _)| *known == hint);
        assert!(read || followed, "{sql}: {hint}");
        said.insert(hint);
    }
    let unsaid: Vec<_> = FOLLOWED.iter().filter(|(hint, _)| !said.contains(*hint)).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}

#[test]
fn the_same_text_gives_the_same_plan() {
    for (sql, _) in cases(include_str!("accepted.txt")) {
        let (a, b) = (plan(&sql, &catalogue()).unwrap(), plan(&sql, &catalogue()).unwrap());
        assert_eq!(a.releases, b.releases);
        assert_eq!(format!("{:?}", a.tail), format!("{:?}", b.tail));
    }
}

#[test]
fn unknown_and_hidden_columns_answer_alike() {
    for template in [
        "SELECT COLUMN, count(*) FROM seizures GROUP BY COLUMN",
        "SELECT count(*) FROM seizures WHERE COLUMN = 'x'",
        "SELECT sum(COLUMN) FROM seizures",
        "SELECT s.COLUMN FROM seizures s",
        "SELECT count(*) FROM seizures a JOIN seizures b USING (COLUMN)",
        "SELECT * EXCEPT (COLUMN) FROM seizures",
        "SELECT region, max(COLUMN) FROM (SELECT * FROM seizures) GROUP BY region",
        "SELECT count(*) FROM seizures WHERE upper(COLUMN) LIKE 'a%' ORDER BY COLUMN",
        "SELECT count(*) FROM seizures WHERE region = \"COLUMN\"",
        "SELECT \"COLUMN\", count(*) FROM seizures WHERE region = \"nobody\" GROUP BY \"COLUMN\"",
        "SELECT COLUMN, count(*) FROM seizures WHERE region = \"COLUMN\" GROUP BY COLUMN",
    ] {
        let say = |column: &str| {
            let refusal = plan(&template.replace("COLUMN", column), &catalogue()).unwrap_err();
            format!("{refusal:?}").replace(column, "COLUMN")
        };
        assert_eq!(say("officer_note"), say("officer_nota"), "{template}");
    }
}

fn column(column: &TailColumn) -> String {
    let unit = column.unit.as_ref().map(|unit| format!(" [{unit}]")).unwrap_or_default();
    format!("{}{}{unit}", column.name, if column.status { "*" } else { "" })
}

fn release(release: &Release) -> String {
    let keys: Vec<_> = release.keys.iter().map(level).collect();
    let counted = release.counted.as_ref().map(|column| format!("units {column}"));
    let wire = release.wire.iter().map(measure);
    let wire: Vec<_> =
        wire.map(|of| counted.clone().filter(|_| of == "units").unwrap_or(of)).collect();
    let outputs: Vec<_> = release.outputs.iter().map(output).collect();
    let by = if keys.is_empty() { String::new() } else { format!(" by {}", keys.join(", ")) };
    let filter = predicate(&release.filter);
    let filter =
        if filter == "true" { filter.replace("true", "") } else { format!(" where {filter}") };
    format!("{}{by}{filter}: {} -> {}", release.dataset, wire.join(", "), outputs.join(", "))
}

fn measure(measure: &WireMeasure) -> String {
    let of = match &measure.of {
        MeasureOf::DistinctUnits => "units".to_owned(),
        MeasureOf::Max(of) => format!("max {}", level(of)),
        MeasureOf::Min(of) => format!("min {}", level(of)),
        MeasureOf::NonNull(column) => format!("nonnull {column}"),
        MeasureOf::Pair { x, y, power } => {
            format!("{power:?} of {}-{} {}-{}", x.column, x.center, y.column, y.center)
        }
        MeasureOf::Rows => "rows".to_owned(),
        MeasureOf::Sum { column, .. } => format!("sum {column}"),
        MeasureOf::SumCentred { column, center } => format!("sum {column}-{center}"),
        MeasureOf::SumOfSquares { column, center } => format!("squares {column}-{center}"),
    };
    match &measure.filter {
        Some(filter) => format!("{of} if {}", predicate(filter)),
        None => of,
    }
}

fn output(output: &Output) -> String {
    match output {
        Output::Avg { sum, count } => format!("{sum}/{count}"),
        Output::Correlation { sums: PairSums { rows, x, y, xy }, xx, yy } => {
            format!("corr({rows},{x},{y},{xy},{xx},{yy})")
        }
        Output::Covariance { sums: PairSums { rows, x, y, xy }, sample } => {
            format!("covar{}({rows},{x},{y},{xy})", if *sample { "" } else { "_pop" })
        }
        Output::Direct(i) => i.to_string(),
        Output::Quantile(of) => {
            let end = |end: &Option<i64>| end.map_or("..".to_owned(), |end| end.to_string());
            let ends: Vec<_> = of.ends.iter().map(end).collect();
            format!(
                "{}/1e9 of {:?} in {} of {}{}",
                of.billionths,
                of.bins,
                ends.join("|"),
                of.rows,
                if of.complete { " whole" } else { "" }
            )
        }
        Output::Spread { squares, sum, count, sample, root } => {
            format!(
                "{}{}({squares},{sum},{count})",
                if *root { "sd" } else { "var" },
                if *sample { "" } else { "_pop" }
            )
        }
    }
}

fn level(level: &LevelRef) -> String {
    let grain = level.grain.map(|grain| format!("@{}", grain.as_str())).unwrap_or_default();
    format!("{}{grain}", level.column)
}

fn predicate(of: &Predicate) -> String {
    let join = |parts: &[Predicate], word: &str| {
        format!("({})", parts.iter().map(predicate).collect::<Vec<_>>().join(&format!(" {word} ")))
    };
    match of {
        Predicate::All(parts) if parts.is_empty() => "true".to_owned(),
        Predicate::Any(parts) if parts.is_empty() => "false".to_owned(),
        Predicate::All(parts) => join(parts, "and"),
        Predicate::Any(parts) => join(parts, "or"),
        Predicate::Compare { level: of, comparison, value } => {
            let sign = match comparison {
                Comparison::Equal => "=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::NotEqual => "<>",
            };
            format!("{} {sign} {}", level(of), literal(value))
        }
        Predicate::In { level: of, values } => {
            format!(
                "{} in [{}]",
                level(of),
                values.iter().map(literal).collect::<Vec<_>>().join(", ")
            )
        }
        Predicate::IsNull { level: of } => format!("{} is null", level(of)),
        Predicate::Not(part) => format!("not {}", predicate(part)),
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Date(day) => {
            arrow::temporal_conversions::date32_to_datetime(*day).unwrap().date().to_string()
        }
        Literal::Int(value) => value.to_string(),
        Literal::Text(text) => text.clone(),
    }
}
