//! The federation law: the question over many countries, computed from releases, is the question over all the rows.

use crate::catalogue::{catalogue, with_range};
use crate::naive::{Row, part, table};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::answer::Listed;
use mayag_queries::merge::{Part, fold, read_part, write_part};
use mayag_queries::{Plan, plan};
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};

/// Every question orders its rows wholly.
const QUESTIONS: &[&str] = &[
    "SELECT region, count(*) AS n, count(person_id) AS p, count(kg) AS k FROM seizures GROUP BY region ORDER BY region",
    "SELECT count(*), sum(kg), avg(kg), sum(items), avg(items), min(region), max(hour) FROM seizures",
    "SELECT avg(quantity_g), stddev(quantity_g), stddev_pop(quantity_g), var_samp(items), var_pop(kg) FROM seizures",
    "SELECT region, corr(quantity_g, kg) AS r, covar_samp(kg, items) AS s, covar_pop(items, quantity_g) AS p FROM seizures GROUP BY region ORDER BY region",
    "SELECT corr(kg, items) FILTER (WHERE hour > 3) AS r, covar_samp(kg, kg) AS v, var_samp(kg) AS w FROM seizures",
    "SELECT median(n) AS m, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY n) AS p FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t",
    "SELECT substance, route, sum(kg) AS kg, avg(kg) AS a, avg(items) AS i FROM seizures GROUP BY substance, route ORDER BY substance, route",
    "SELECT date_trunc('month', seized_on) AS m, count(*) AS n FROM seizures GROUP BY 1 ORDER BY 1",
    "SELECT seized_on_quarter AS q, hour, sum(items) AS n FROM seizures GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT extract(year FROM seized_on) AS y, count(*) AS n FROM seizures GROUP BY 1 ORDER BY 1",
    "SELECT country, count(*) AS n, avg(quantity_g) AS q FROM seizures GROUP BY country ORDER BY country",
    "SELECT count(*) AS n FROM seizures WHERE seized_on >= DATE '2024-01-01' AND seized_on < DATE '2024-04-01'",
    "SELECT count(*) AS n FROM seizures WHERE seized_on BETWEEN DATE '2024-01-01' AND DATE '2024-02-29'",
    "SELECT count(*) AS n FROM seizures WHERE seized_on NOT BETWEEN DATE '2024-01-15' AND DATE '2024-02-29' OR seized_on IS NULL",
    "SELECT count(*) AS n FROM seizures WHERE seized_on > DATE '2024-01-31' AND seized_on <> DATE '2024-03-01'",
    "SELECT count(*) AS n FROM seizures WHERE seized_on_month > DATE '2024-01-15' AND NOT seized_on_quarter = DATE '2024-02-01'",
    "SELECT count(*) AS n FROM seizures WHERE seized_on_month <= DATE '2024-02-15' OR seized_on_month <> DATE '2024-02-15'",
    "SELECT count(*) AS n FROM seizures WHERE seized_on_month IN (DATE '2024-01-01', DATE '2024-02-02')",
    "SELECT count(*) AS n FROM seizures WHERE seized_on_month NOT IN (DATE '2024-01-01', DATE '2024-02-02')",
    "SELECT count(*) AS n FROM seizures WHERE date_trunc('month', seized_on) >= TIMESTAMP '2024-02-01 00:00:00'",
    "SELECT count(*) AS n FROM seizures WHERE extract(year FROM seized_on) = 2024",
    "SELECT count(*) AS n FROM seizures WHERE NOT (region = 'a' OR route IN ('x', 'y')) AND substance NOT IN ('p')",
    "SELECT count(*) AS n FROM seizures WHERE 3 < hour AND hour NOT BETWEEN 5 AND 6 OR region IS NULL",
    "SELECT count(*) AS n FROM seizures WHERE (region = 'a' IS UNKNOWN) IS NOT UNKNOWN AND (hour > 3) IS NOT TRUE",
    "SELECT count(*) AS n FROM seizures WHERE NOT (region = 'a' IS UNKNOWN IS UNKNOWN IS TRUE) AND NOT NOT (hour > 3 IS FALSE IS FALSE)",
    "SELECT count(*) AS n FROM seizures WHERE ((region = 'a' AND route = 'x') IS UNKNOWN IS FALSE) OR ((hour = 3 OR region IN ('b')) IS UNKNOWN) IS TRUE",
    "SELECT count(*) FILTER (WHERE route = 'x') AS x, sum(kg) FILTER (WHERE hour > 4) AS kg, avg(items) FILTER (WHERE region <> 'a') AS i FROM seizures",
    "SELECT region, count(*) AS n FROM seizures GROUP BY region HAVING count(*) > 3 AND sum(kg) IS NOT NULL ORDER BY region",
    "SELECT region, n, round(100.0 * n / sum(n) OVER (), 1) AS pct FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t ORDER BY region",
    "SELECT m, n, n - lag(n) OVER (ORDER BY m) AS d, sum(n) OVER (ORDER BY m) AS s FROM (SELECT date_trunc('month', seized_on) AS m, count(*) AS n FROM seizures GROUP BY 1) t ORDER BY m",
    "SELECT region, sum(CASE WHEN substance = 'p' THEN n ELSE 0 END) AS p, max(n) AS most, count(n) AS c FROM (SELECT region, substance, count(*) AS n FROM seizures GROUP BY region, substance) t GROUP BY region ORDER BY region",
    "SELECT region, route, count(*) AS n, grouping(region, route) AS g FROM seizures GROUP BY ROLLUP (region, route) ORDER BY g, region, route",
    "SELECT region, route, sum(kg) AS kg FROM seizures GROUP BY GROUPING SETS ((region), (route), (), (region)) ORDER BY region, route, kg",
    "SELECT region, route, substance, count(*) AS n FROM seizures GROUP BY region, CUBE (route, substance) ORDER BY 1, 2, 3, 4",
    "SELECT region, sum(n) AS n FROM (SELECT region, route, count(*) AS n FROM seizures GROUP BY region, route) t GROUP BY CUBE (region) ORDER BY region, n",
    "SELECT region FROM seizures GROUP BY ROLLUP (region) ORDER BY region",
    "SELECT region, n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t WHERE region IN (SELECT region FROM seizures WHERE route = 'x' GROUP BY region) ORDER BY region",
    "SELECT region, n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t WHERE n > 1 AND region NOT IN (SELECT region FROM seizures WHERE route = 'x' AND region IS NOT NULL GROUP BY region) ORDER BY region",
    "SELECT region, n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t WHERE EXISTS (SELECT 1 FROM (SELECT count(*) AS k FROM seizures) u WHERE k > 3) ORDER BY region",
    "SELECT region, route, count(*) AS n FROM seizures GROUP BY region, route QUALIFY row_number() OVER (PARTITION BY region ORDER BY count(*), route) = 1 ORDER BY region",
    "SELECT coalesce(a.region, b.region) AS r, a.n, b.n AS m FROM (SELECT region, count(*) AS n FROM seizures WHERE route = 'x' GROUP BY region) a FULL JOIN (SELECT region, count(*) AS n FROM seizures WHERE route = 'y' GROUP BY region) b ON a.region = b.region ORDER BY 1, 2, 3",
    "SELECT b.region, a.n FROM (SELECT region, count(*) AS n FROM seizures WHERE route = 'x' GROUP BY region) a RIGHT JOIN (SELECT region, count(*) AS n FROM seizures GROUP BY region) b ON a.region = b.region ORDER BY 1, 2",
    "SELECT region FROM seizures WHERE route = 'x' GROUP BY region INTERSECT SELECT region FROM seizures WHERE route = 'y' GROUP BY region ORDER BY 1",
    "SELECT region FROM seizures WHERE route = 'x' GROUP BY region UNION SELECT substance FROM seizures GROUP BY substance ORDER BY 1",
    "WITH a AS (SELECT region, sum(items) AS n FROM seizures GROUP BY region) SELECT x.region, x.n, y.n AS m FROM a x LEFT JOIN a y ON x.region < y.region ORDER BY 1, 2, 3",
    "SELECT count(*) AS n FROM seizures WHERE (region IS DISTINCT FROM 'a') AND (route IS NOT DISTINCT FROM 'x') OR hour IS NOT DISTINCT FROM 3",
    "SELECT count(*) AS n FROM seizures WHERE (region = 'a') IS NOT TRUE AND (hour > 4 OR route = 'x') IS FALSE",
    "SELECT count(*) AS n FROM seizures WHERE (region = 'a' AND hour < 5) IS UNKNOWN OR (NOT route IN ('x')) IS TRUE",
    "SELECT count(*) AS n FROM seizures WHERE (seized_on > DATE '2024-02-01') IS NOT FALSE AND (region <> 'b') IS NOT UNKNOWN",
    "SELECT left(substance, 2) AS h, count(*) AS n FROM seizures WHERE substr(substance, 1, 2) <> 'q' GROUP BY 1 ORDER BY 1",
    "SELECT region FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) a EXCEPT SELECT region FROM (SELECT region, count(*) AS n FROM seizures WHERE route = 'x' GROUP BY region) b ORDER BY 1",
    "SELECT (SELECT count(*) FROM seizures WHERE region = 'a') - (SELECT count(*) FROM seizures WHERE route = 'x') AS d",
    "SELECT DISTINCT substance FROM seizures ORDER BY substance",
    "SELECT substance, route FROM seizures GROUP BY substance, route ORDER BY substance, route",
    "SELECT a.region, a.n, b.m FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) a LEFT JOIN (SELECT region, sum(items) AS m FROM seizures WHERE route = 'y' GROUP BY region) b ON a.region = b.region ORDER BY a.region",
    "SELECT region, count(*) AS n FROM seizures GROUP BY region UNION ALL SELECT 'all', count(*) FROM seizures ORDER BY region, n",
    "SELECT n, count(*) AS regions FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t GROUP BY n ORDER BY n",
    "SELECT DISTINCT n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t ORDER BY n",
    "SELECT region, rank() OVER (ORDER BY n DESC, region) AS place FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t ORDER BY region",
    "SELECT min(seized_on) AS a, max(date_trunc('month', seized_on)) AS b, min(seized_on_year) AS c, max(country) AS d FROM seizures",
    "SELECT sum(CAST(kg AS DOUBLE)) AS s, avg(CAST(kg AS DOUBLE)) AS a, sum(CAST(items AS DOUBLE)) AS i FROM seizures",
    "WITH t AS (SELECT region, route, sum(kg) AS kg FROM seizures GROUP BY region, route), u AS (SELECT region, sum(kg) AS kg FROM t GROUP BY region) SELECT t.region, t.route, t.kg, u.kg AS total FROM t JOIN u ON t.region = u.region ORDER BY 1, 2",
    "SELECT m, count(*) AS n FROM (SELECT date_trunc('quarter', seized_on) AS m, region AS r FROM seizures WHERE route <> 'z') t WHERE r IN ('a', 'b') GROUP BY m ORDER BY m",
    "SELECT region, n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t WHERE n > (SELECT avg(n) FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) u) ORDER BY region",
    "SELECT coalesce(region, '?') AS r, count(*) AS n FROM seizures GROUP BY region ORDER BY count(*) DESC, r LIMIT 2",
    "SELECT country, date_trunc('year', seized_on) AS y, var_samp(quantity_g) AS v FROM seizures WHERE hour IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT region, sum(kg) AS kg FROM seizures WHERE false GROUP BY region ORDER BY region",
    "SELECT extract(month FROM seized_on) AS m, count(*) AS n, sum(kg) AS kg, sum(items) AS i, max(region) AS r, min(seized_on) AS d FROM seizures GROUP BY 1 ORDER BY 1",
    "SELECT extract(year FROM seized_on) AS y, date_part('quarter', seized_on) AS q, avg(kg) AS a, count(*) AS n FROM seizures GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT extract(month FROM seized_on) AS m, extract(quarter FROM seized_on) AS q, count(*) AS n FROM seizures GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT extract(quarter FROM seized_on) AS q, region, count(kg) AS n, sum(quantity_g) FILTER (WHERE hour > 2) AS g FROM seizures GROUP BY ROLLUP (extract(quarter FROM seized_on), region) ORDER BY 1, 2, 3, 4",
    "SELECT DISTINCT extract(month FROM seized_on_quarter) AS m FROM seizures ORDER BY m",
    "SELECT m, r, count(*) AS n FROM (SELECT 'x' AS r, extract(month FROM seized_on) AS m, seized_on FROM seizures) t WHERE seized_on >= DATE '2024-01-01' GROUP BY m, r ORDER BY m",
    "SELECT 'x' AS what, region, count(*) AS n, 3 AS k FROM seizures WHERE route = 'x' GROUP BY 1, 2, 4 ORDER BY region",
    "SELECT upper(region) AS r, coalesce(route, 'none') AS way, count(*) AS n, sum(kg) AS kg, max(hour) AS h FROM seizures GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT CASE WHEN route IN ('x', 'y') THEN 'known' ELSE substance END AS c, date_trunc('week', seized_on) AS w, count(kg) AS n FROM seizures GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT region, count(DISTINCT route) AS routes, count(DISTINCT extract(month FROM seized_on)) AS months, count(*) AS n, sum(items) AS i FROM seizures GROUP BY region ORDER BY region",
    "SELECT to_char(seized_on, '%b %Y') AS m, to_char(seized_on_quarter, '%Y, %q') AS q, to_char(seized_on, '%A') AS d, count(*) AS n FROM seizures GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT count(DISTINCT region) AS r, count(*) AS n, sum(kg) AS kg FROM seizures WHERE hour > 6",
    "SELECT region, count(DISTINCT route) AS routes, avg(kg) AS a, count(DISTINCT substance) AS s FROM seizures GROUP BY region ORDER BY region",
    "SELECT region, count(DISTINCT route) AS routes, max(hour) AS h, count(DISTINCT hour) AS hours FROM seizures GROUP BY ROLLUP (region) ORDER BY 1, 2, 3, 4",
    "SELECT count(DISTINCT region) AS r, avg(kg) AS a, count(DISTINCT route) AS w FROM seizures",
    "SELECT 'x' AS what, upper(region) AS r, count(DISTINCT route) AS w, sum(items) AS i FROM seizures GROUP BY 1, 2 HAVING count(DISTINCT route) > 1 ORDER BY 1, 2",
    "SELECT route IS NULL AS missing, region, count(*) AS n FROM seizures GROUP BY ROLLUP (route IS NULL, region) ORDER BY 1, 2, 3",
    "SELECT to_char(m, '%d %b %Y, %V') AS m, n FROM (SELECT seized_on_month AS m, count(*) AS n FROM seizures GROUP BY 1) t ORDER BY 1",
    "WITH a AS (SELECT region, count(*) AS n FROM seizures GROUP BY region), b AS (SELECT region, count(*) AS m FROM seizures WHERE route = 'x' GROUP BY region) SELECT a.region, a.n, b.m FROM a JOIN b ON a.region = b.region AND b.m < a.n ORDER BY 1",
    "WITH a AS (SELECT region, count(*) AS n FROM seizures GROUP BY region), b AS (SELECT region, count(*) AS n FROM seizures WHERE route = 'x' GROUP BY region) SELECT n, a.region, b.region AS other FROM a JOIN b USING (n) ORDER BY 1, 2, 3",
];

/// Questions about months and quarters of the year: everybody has to know which years there are.
const WITH_RANGE: &[&str] = &[
    "SELECT count(*) AS n FROM seizures WHERE extract(month FROM seized_on) = 1",
    "SELECT count(*) AS n FROM seizures WHERE NOT extract(month FROM seized_on) = 13 AND 2 > extract(quarter FROM seized_on)",
    "SELECT count(*) AS n FROM seizures WHERE extract(month FROM seized_on) IN (1, 2, 17) OR extract(month FROM seized_on) IS NULL",
    "SELECT count(*) AS n FROM seizures WHERE extract(month FROM seized_on) NOT IN (1, 2) AND extract(year FROM seized_on) = 2024",
    "SELECT count(*) AS n FROM seizures WHERE extract(month FROM seized_on) BETWEEN 2 AND 4 OR date_part('month', seized_on) <> 12",
    "SELECT extract(month FROM seized_on) AS m, avg(items) AS a FROM seizures WHERE extract(year FROM seized_on) = 2024 GROUP BY 1 ORDER BY 1",
    "SELECT extract(month FROM seized_on) AS m, var_pop(items) AS v FROM seizures WHERE seized_on > DATE '2023-12-31' GROUP BY 1 ORDER BY 1",
    "SELECT extract(month FROM seized_on) AS m, avg(items) AS a, count(kg) AS n FROM seizures WHERE seized_on < DATE '2024-04-01' GROUP BY 1 ORDER BY 1",
    "SELECT extract(quarter FROM seized_on) AS q, extract(month FROM seized_on) AS m, avg(kg) AS a FROM seizures WHERE seized_on < DATE '2024-06-01' GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*) FILTER (WHERE extract(quarter FROM seized_on) = 4) AS n FROM seizures WHERE (extract(month FROM seized_on) = 2) IS NOT TRUE",
];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    fn word(words: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
        proptest::option::weighted(0.85, proptest::sample::select(words).prop_map(str::to_owned))
    }
    let row = (
        proptest::option::of((0..9).prop_map(|i| format!("P-{i}"))),
        word(&["a", "b", "c"]),
        word(&["p", "q"]),
        word(&["x", "y", "z"]),
        // From 2023-12-01 for 150 days.
        proptest::option::weighted(0.9, 19_692..19_842),
        proptest::option::weighted(0.9, -2_i64..9),
        proptest::option::weighted(0.8, -50.0..250.0),
        proptest::option::weighted(0.8, -9_999_999_i128..9_999_999),
        proptest::option::weighted(0.8, any::<i32>().prop_map(i64::from)),
    );
    let row = row.prop_map(
        |(person, region, substance, route, seized_on, hour, quantity_g, kg, items)| Row {
            person,
            region,
            substance,
            route,
            seized_on,
            hour,
            quantity_g,
            kg,
            items,
        },
    );
    proptest::collection::vec(row, 0..30)
}

/// What the gateway does: fold every release over the countries, then the tail. Parts cross the wire.
pub(crate) async fn federated(plan: &Plan, countries: &[(String, Vec<Row>)]) -> RecordBatch {
    let catalogue = catalogue();
    let mut merged = Vec::new();
    for release in &plan.releases {
        let dataset = catalogue.dataset(release.dataset.as_str()).unwrap();
        let parts: Vec<_> = countries
            .iter()
            .map(|(country, rows)| {
                let bytes = write_part(&part(release, dataset, rows, country)).unwrap();
                let cells = read_part(release, dataset, &bytes).unwrap();
                Part { country: country.parse().unwrap(), listed: Listed::All, cells }
            })
            .collect();
        merged.push(fold(release, dataset, &parts).unwrap());
    }
    assert_eq!(plan.tail.undecided(merged.clone()).await, Ok(0));
    plan.tail.run(merged).await.unwrap_or_else(|error| panic!("{error} {:?}", plan.releases))
}

async fn whole(sql: &str, countries: &[(String, Vec<Row>)]) -> RecordBatch {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_batch("seizures", table(countries)).unwrap();
    let frame = context.sql(sql).await.unwrap();
    let schema = std::sync::Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.unwrap();
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    concat_batches(&schema, &batches).unwrap()
}

fn assert_same(sql: &str, ours: &RecordBatch, theirs: &RecordBatch) {
    assert_eq!(ours.num_rows(), theirs.num_rows(), "{sql}\n{ours:?}\n{theirs:?}");
    for (i, column) in theirs.columns().iter().enumerate() {
        let own = ours.column(i);
        assert_eq!(ours.schema().field(i).name(), theirs.schema().field(i).name(), "{sql}");
        assert_eq!(own.data_type(), column.data_type(), "{sql}: column {i}");
        for row in 0..column.len() {
            let same = if column.data_type() == &DataType::Float64
                && own.is_valid(row)
                && column.is_valid(row)
            {
                let (a, b) = (
                    own.as_primitive::<Float64Type>().value(row),
                    column.as_primitive::<Float64Type>().value(row),
                );
                (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
            } else {
                array_value_to_string(own, row).unwrap()
                    == array_value_to_string(column, row).unwrap()
            };
            assert!(same, "{sql}: column {i}, row {row}\n{ours:?}\n{theirs:?}");
        }
    }
    for status in ours.columns().iter().skip(theirs.num_columns()) {
        // Nothing is noisy here, so the deviations are all null.
        assert!(
            status.null_count() == status.len()
                || status.as_string::<i32>().iter().all(|status| status == Some("known")),
            "{sql}: {ours:?}"
        );
    }
}

#[test]
fn the_question_over_countries_is_the_question_over_all_the_rows() {
    let planned = |sql: &'static str, catalogue: &Catalogue| {
        (sql, plan(sql, catalogue).unwrap_or_else(|refusal| panic!("{sql}: {refusal}")))
    };
    let mut plans: Vec<_> = QUESTIONS.iter().map(|sql| planned(sql, &catalogue())).collect();
    plans.extend(WITH_RANGE.iter().map(|sql| planned(sql, &with_range())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let countries = proptest::collection::vec(rows(), 0..4);
    let mut runner =
        TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&countries, |countries| {
            let countries: Vec<_> =
                ["de", "jp", "kr", "us"].map(str::to_owned).into_iter().zip(countries).collect();
            for (sql, plan) in &plans {
                runtime.block_on(async {
                    assert_same(
                        sql,
                        &federated(plan, &countries).await,
                        &whole(sql, &countries).await,
                    );
                });
            }
            Ok(())
        })
        .unwrap();
}

/// The values of a column, and what the quantile of a part of them may be: from the lower end of the bin of the value below
/// it to the upper end of the bin of the value above it.
fn between(values: &mut [f64], part: f64) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let rank = part * values.len() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks of a few values are whole numbers from 0 on"
    )]
    let at = |rank: f64| values.get(rank as usize).or_else(|| values.last()).copied();
    let bins = [(-50.0, 10.0), (10.0, 100.0), (100.0, 250.0)];
    let bin = |value: f64| bins.into_iter().find(|(_, to)| value < *to).unwrap();
    Some((bin(at((rank.ceil() - 1.0).max(0.0))?).0, bin(at(rank.floor())?).1))
}

#[test]
fn a_quantile_is_the_one_of_all_rows_up_to_the_width_of_a_bin() {
    let sql = "SELECT region, approx_percentile_cont(0.2) WITHIN GROUP (ORDER BY quantity_g) AS low, median(quantity_g) AS m, \
        percentile_cont(0.1) WITHIN GROUP (ORDER BY quantity_g DESC) AS high FROM seizures GROUP BY region ORDER BY region";
    let plan = plan(sql, &catalogue()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let countries = proptest::collection::vec(rows(), 1..4);
    let mut runner =
        TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let law = |countries: Vec<Vec<Row>>| {
        let countries: Vec<_> =
            ["de", "jp", "kr", "us"].map(str::to_owned).into_iter().zip(countries).collect();
        let ours = runtime.block_on(federated(&plan, &countries));
        let theirs = runtime.block_on(whole(sql, &countries));
        assert_eq!(ours.num_rows(), theirs.num_rows());
        for row in 0..ours.num_rows() {
            let regions = ours.column(0).as_string::<i32>();
            let region = regions.is_valid(row).then(|| regions.value(row).to_owned());
            let of_region = countries.iter().flat_map(|(_, rows)| rows);
            let of_region = of_region.filter(|row| row.region == region);
            let mut values: Vec<f64> = of_region.filter_map(|row| row.quantity_g).collect();
            for (column, part) in [(1, 0.2), (2, 0.5), (3, 0.9)] {
                let own = ours.column(column).as_primitive::<Float64Type>();
                let engine = theirs.column(column).as_primitive::<Float64Type>();
                assert_eq!(own.is_valid(row), engine.is_valid(row), "{ours:?} {theirs:?}");
                let Some((from, to)) = between(&mut values, part) else { continue };
                let value = own.value(row);
                assert!((from..=to).contains(&value), "{value} of {values:?} at {part}");
                assert!((value - engine.value(row)).abs() <= 150.0, "{ours:?} {theirs:?}");
            }
        }
        Ok(())
    };
    runner.run(&countries, law).unwrap();
}
