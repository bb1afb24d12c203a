//! Tests of the catalogue.

use super::{Catalogue, CatalogueError, CatalogueFault, Kind, Number};
use serde_json::{Value, json};

fn builtin() -> Value {
    serde_json::to_value(Catalogue::builtin()).unwrap()
}

fn fault(change: impl Fn(&mut Value)) -> CatalogueFault {
    let mut catalogue = builtin();
    change(&mut catalogue);
    match Catalogue::parse(catalogue.to_string().as_bytes()) {
        Err(CatalogueError::Inconsistent { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_builtin_catalogue_has_seizures_in_fixed_point() {
    let catalogue = Catalogue::builtin();
    let seizures = catalogue.dataset("seizures").unwrap();
    assert!(seizures.unit().unique);
    let quantity = seizures.column("quantity").unwrap();
    assert_eq!(
        quantity.kind,
        Kind::Measure { number: Number::Decimal { precision: 28, scale: 16 }, center: None }
    );
    assert_eq!(quantity.unit.as_deref(), Some("lb"));
    assert_eq!(seizures.column("officer_note").unwrap().kind, Kind::Hidden {});
    assert_eq!(catalogue.dataset("persons"), None);
    assert_eq!(seizures.column("country"), None);
}

#[test]
fn a_catalogue_that_contradicts_itself_is_refused_with_the_place() {
    let columns = "/datasets/0/columns";
    let named = |name: &'static str| {
        move |c: &mut Value| c.pointer_mut(columns).unwrap()[3]["name"] = json!(name)
    };
    assert_eq!(fault(named("country")), CatalogueFault::ImpliedColumn);
    assert_eq!(fault(named("drug")), CatalogueFault::Duplicate);
    assert_eq!(
        fault(|c| c["datasets"][0]["units"][0]["column"] = json!("agency")),
        CatalogueFault::UnitColumn
    );
    assert_eq!(
        fault(|c| c["datasets"][0]["units"][0]["column"] = json!("absent")),
        CatalogueFault::UnitColumn
    );
    assert_eq!(
        fault(|c| c["datasets"][0]["columns"][1]["kind"] = json!({"type": "unit"})),
        CatalogueFault::UnitColumn
    );
    assert_eq!(
        fault(|c| c["datasets"][0]["columns"][0]["kind"] = json!({"type": "hidden"})),
        CatalogueFault::UnitColumn
    );
    for values in [json!([]), json!(["a", "b", "a"])] {
        let kind = json!({"type": "category", "values": values});
        assert_eq!(
            fault(|c| c["datasets"][0]["columns"][3]["kind"] = kind.clone()),
            CatalogueFault::ClosedList
        );
    }
    for (precision, scale) in [(0, 0), (29, 0), (10, 11), (10, -1)] {
        let kind = json!({"type": "measure", "number": {"decimal": {"precision": precision, "scale": scale}}});
        assert_eq!(
            fault(|c| c["datasets"][0]["columns"][3]["kind"] = kind.clone()),
            CatalogueFault::DecimalBounds
        );
    }
    let twice = |c: &mut Value| {
        let again = c["datasets"][0].clone();
        c["datasets"].as_array_mut().unwrap().push(again);
    };
    assert_eq!(fault(twice), CatalogueFault::Duplicate);

    let mut catalogue = builtin();
    named("country")(&mut catalogue);
    let error = Catalogue::parse(catalogue.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "catalogue, dataset `seizures`, column `country`: the column `country` is implied in every dataset and never listed"
    );
    assert!(matches!(Catalogue::parse(b"{}"), Err(CatalogueError::Unreadable(_))));
}
