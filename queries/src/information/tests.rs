//! Tests of SQL over the list of what is shared.

use super::{InformationError, ListedColumn, ListedTable, Listing, select};
use crate::tail::TailError;
use arrow::util::pretty::pretty_format_batches;
use mayag_protocol::refusal::Code;

fn listing() -> Listing {
    let table =
        |catalog: &str, name: &str| ListedTable { catalog: catalog.into(), name: name.into() };
    let column = |table: &str, name: &str, position, data_type: Option<&str>| ListedColumn {
        catalog: "kr".into(),
        table: table.into(),
        name: name.into(),
        position,
        nullable: name != "country",
        data_type: data_type.map(str::to_owned),
    };
    Listing {
        tables: vec![table("kr", "labs"), table("kr", "seizures"), table("mx", "seizures")],
        columns: vec![
            column("seizures", "country", 1, Some("VARCHAR")),
            column("seizures", "seized_on", 2, Some("DATE")),
            column("labs", "country", 1, Some("VARCHAR")),
            column("labs", "colour", 2, None),
        ],
    }
}

async fn rows(sql: &str) -> Vec<String> {
    let batch = select(sql, listing()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = pretty_format_batches(&[batch]).unwrap().to_string();
    let lines = text.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

#[tokio::test]
async fn the_list_is_a_table_like_any_other() {
    assert_eq!(
        rows("SELECT * FROM information_schema.tables ORDER BY table_catalog, table_name").await,
        [
            "|kr|public|labs|BASE TABLE|",
            "|kr|public|seizures|BASE TABLE|",
            "|mx|public|seizures|BASE TABLE|"
        ]
    );
    assert_eq!(
        rows(
            "SELECT column_name, ordinal_position, is_nullable, data_type FROM information_schema.columns \
             WHERE table_name = 'labs' ORDER BY ordinal_position DESC"
        )
        .await,
        ["|colour|2|YES||", "|country|1|NO|VARCHAR|"]
    );
    assert_eq!(
        rows(
            "WITH t AS (SELECT table_name AS n, count(*) AS c FROM INFORMATION_SCHEMA.\"tables\" GROUP BY 1) \
             SELECT n, c, (SELECT count(*) FROM information_schema.columns WHERE table_name = n) FROM t ORDER BY n"
        )
        .await,
        ["|labs|1|2|", "|seizures|2|2|"]
    );
}

#[tokio::test]
async fn nothing_else_can_be_read() {
    for (sql, code, subject) in [
        ("SELECT * FROM information_schema.views", Code::NoGrant, Some("information_schema.views")),
        (
            "SELECT * FROM information_schema.df_settings",
            Code::NoGrant,
            Some("information_schema.df_settings"),
        ),
        ("SELECT * FROM tables", Code::NoGrant, Some("tables")),
        (
            "SELECT * FROM a.information_schema.tables",
            Code::NoGrant,
            Some("a.information_schema.tables"),
        ),
        ("SELECT * FROM information_schema.tables, seizures", Code::NoGrant, Some("seizures")),
        (
            "SELECT * FROM information_schema.tables WHERE EXISTS (SELECT 1 FROM '/etc/passwd')",
            Code::NoGrant,
            Some("/etc/passwd"),
        ),
        ("SELECT officer FROM information_schema.tables", Code::ColumnNotShared, Some("officer")),
        (
            "SELECT repeat(table_name, 9) FROM information_schema.tables",
            Code::NotSupported,
            Some("repeat"),
        ),
        ("SELECT 1 FROM information_schema.tables; SELECT 2", Code::NotOneSelect, None),
        ("SELECT * INTO t FROM information_schema.tables", Code::NotOneSelect, None),
        ("EXPLAIN SELECT * FROM information_schema.tables", Code::NotOneSelect, None),
        ("SELECT table_name + FROM information_schema.tables", Code::SqlNotReadable, None),
    ] {
        match select(sql, listing()).await {
            Err(InformationError::Refused(refusal)) => {
                assert_eq!((refusal.code, refusal.subject.as_deref()), (code, subject), "{sql}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    let sql = "SELECT 1 / (ordinal_position - 1) FROM information_schema.columns";
    let failed = InformationError::Failed(TailError::DivideByZero);
    assert_eq!(select(sql, listing()).await, Err(failed));
}
