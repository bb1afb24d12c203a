//! The examples of the manual are planned: those marked `refused` are refused, the others not.

use mayag_policies::catalogue::Catalogue;
use mayag_queries::plan;

#[test]
fn the_examples_of_the_manual_are_what_it_says() {
    let manual = include_str!("../../../docs/questions.md");
    let catalogue = Catalogue::domain_pack();
    let (mut planned, mut refused) = (0, 0);
    for block in manual.split("```sql").skip(1) {
        let (head, rest) = block.split_once('\n').unwrap();
        let (sql, _) = rest.split_once("```").unwrap();
        match (head.trim(), plan(sql, &catalogue)) {
            ("", Ok(_)) => planned += 1,
            ("refused", Err(_)) => refused += 1,
            (head, outcome) => panic!("`{head}`: {sql}\n{:?}", outcome.map(|plan| plan.releases)),
        }
    }
    assert!(planned >= 10 && refused >= 5, "{planned} planned, {refused} refused");
}
