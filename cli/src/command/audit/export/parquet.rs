//! Entries as a Parquet file: what can be counted and filtered as columns, and beside it the bytes that were hashed.

use super::super::logs::{Ended, entries};
use super::super::verify::Job;
use super::Chosen;
use crate::exit::Exit;
use crate::printer::Printer;
use arrow::array::{
    ArrayRef, BinaryBuilder, RecordBatch, StringBuilder, TimestampMillisecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use mayag_audit::entry::Entry;
use mayag_audit::records::Located;
use mayag_protocol::names::{Country, DatasetName};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::io;
use std::mem;
use std::sync::Arc;

/// Entries of a row group: what is in memory at once, some ten megabytes.
const ROWS: usize = 8192;

/// Columns of text, in the order of the file: the name, and what an entry says there.
const TEXTS: [(&str, Say); 15] = [
    ("type", |entry| Some(entry.kind.to_string())),
    ("question", |entry| entry.question.as_ref().map(ToString::to_string)),
    ("question_digest", |entry| entry.question_digest.as_ref().map(ToString::to_string)),
    ("actor", |entry| entry.actor.as_ref().map(ToString::to_string)),
    ("recipient", |entry| entry.recipient.as_ref().map(ToString::to_string)),
    ("purpose", |entry| entry.purpose.map(|purpose| purpose.as_str().to_owned())),
    ("legal_basis", |entry| entry.legal_basis.as_ref().map(ToString::to_string)),
    ("case", |entry| entry.case.as_ref().map(ToString::to_string)),
    ("policy", |entry| entry.policy.as_ref().map(ToString::to_string)),
    ("decision", |entry| entry.decision.clone()),
    ("rule", |entry| entry.rule.clone()),
    ("datasets", |entry| {
        joined(&entry.datasets.iter().map(DatasetName::as_str).collect::<Vec<_>>())
    }),
    ("countries", |entry| joined(&entry.countries.keys().map(Country::as_str).collect::<Vec<_>>())),
    ("result", |entry| entry.result.map(|result| result.as_str().to_owned())),
    ("result_digest", |entry| entry.result_digest.as_ref().map(ToString::to_string)),
];

type Say = fn(&Entry) -> Option<String>;

fn joined(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(","))
}

/// Writes what is chosen. An error of the output stays inside: the logs were fine.
pub(super) fn write(
    jobs: &[Job],
    chosen: &Chosen,
    printer: &mut Printer,
) -> Result<io::Result<()>, Ended> {
    let mut out = Out::new(printer).map_err(|error| (Exit::Error, error.to_string()))?;
    for job in jobs {
        entries(job, &mut |located| {
            if chosen.wants(&located) {
                out.entry(&located);
            }
        })?;
    }
    Ok(out.end())
}

/// Rows on their way out. The first error stays.
struct Out<'a> {
    printer: &'a mut Printer,
    writer: ArrowWriter<Vec<u8>>,
    rows: Rows,
    result: io::Result<()>,
}

impl<'a> Out<'a> {
    fn new(printer: &'a mut Printer) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::new(schema()), Some(properties))?;
        Ok(Self { printer, writer, rows: Rows::default(), result: Ok(()) })
    }

    fn entry(&mut self, located: &Located<'_>) {
        self.rows.push(located);
        if ROWS <= self.rows.count {
            self.group();
        }
    }

    /// Writes a row group, and hands on what the writer has so far.
    fn group(&mut self) {
        if self.result.is_err() {
            return;
        }
        let batch = mem::take(&mut self.rows).batch().map_err(io::Error::other);
        let grouped = batch.and_then(|batch| {
            self.writer.write(&batch).map_err(io::Error::other)?;
            self.writer.flush().map_err(io::Error::other)?;
            self.writer.sync()?;
            self.printer.data(&mem::take(self.writer.inner_mut()))
        });
        self.result = grouped;
    }

    fn end(mut self) -> io::Result<()> {
        if 0 < self.rows.count {
            self.group();
        }
        self.result?;
        let rest = self.writer.into_inner().map_err(io::Error::other)?;
        self.printer.data(&rest)
    }
}

fn schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("log", DataType::Utf8, false),
        Field::new("index", DataType::UInt64, false),
        Field::new("at", time, false),
    ];
    fields.extend(TEXTS.iter().map(|(name, _)| text(name)));
    fields.push(Field::new("cells", DataType::UInt64, true));
    fields.push(Field::new("leaf", DataType::Binary, false));
    fields.push(Field::new("leaf_hash", DataType::Binary, false));
    Schema::new(fields)
}

/// The columns of a row group that is being filled.
struct Rows {
    count: usize,
    log: StringBuilder,
    index: UInt64Builder,
    at: TimestampMillisecondBuilder,
    texts: [StringBuilder; TEXTS.len()],
    cells: UInt64Builder,
    leaf: BinaryBuilder,
    leaf_hash: BinaryBuilder,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            count: 0,
            log: StringBuilder::new(),
            index: UInt64Builder::new(),
            at: TimestampMillisecondBuilder::new().with_timezone("UTC"),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            cells: UInt64Builder::new(),
            leaf: BinaryBuilder::new(),
            leaf_hash: BinaryBuilder::new(),
        }
    }
}

impl Rows {
    fn push(&mut self, located: &Located<'_>) {
        let entry = &located.entry;
        self.count += 1;
        self.log.append_value(located.log.origin().as_str());
        self.index.append_value(located.index);
        self.at.append_value(entry.at.millis());
        for (column, (_, say)) in self.texts.iter_mut().zip(&TEXTS) {
            column.append_option(say(entry));
        }
        self.cells.append_option(entry.cells);
        self.leaf.append_value(located.bytes);
        self.leaf_hash.append_value(located.hash.as_bytes());
    }

    fn batch(mut self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.log.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.at.finish()),
        ];
        columns.extend(self.texts.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef));
        columns.push(Arc::new(self.cells.finish()));
        columns.push(Arc::new(self.leaf.finish()));
        columns.push(Arc::new(self.leaf_hash.finish()));
        RecordBatch::try_new(Arc::new(schema()), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::{Out, ROWS, schema};
    use crate::printer::{Printer, Terminals};
    use arrow::array::AsArray as _;
    use arrow::datatypes::UInt64Type;
    use bytes::Bytes;
    use mayag_audit::entry::{Entry, Type};
    use mayag_audit::records::{Located, LogName};
    use mayag_audit::tree::leaf_hash;
    use mayag_protocol::timestamp::Timestamp;
    use parking_lot::Mutex;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::io::{self, Write};
    use std::sync::Arc;

    /// What a printer was given.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bytes_of_an_entry_are_beside_its_columns_over_several_row_groups() {
        let log = LogName::of(&"node-kr.demo/query-log/2026".parse().unwrap()).unwrap();
        let sink = Sink::default();
        let mut printer =
            Printer::new(Box::new(sink.clone()), Box::new(io::sink()), Terminals::Neither);
        let mut out = Out::new(&mut printer).unwrap();
        let mut all = Vec::new();
        for number in 0..(2 * ROWS + 3) as u64 {
            let at = Timestamp::from_millis(number.cast_signed());
            let datasets = vec!["seizures".parse().unwrap(), "reports".parse().unwrap()];
            let entry = Entry { datasets, ..Entry::new(Type::Opened, at).unwrap() };
            let bytes = entry.to_bytes().unwrap();
            let hash = leaf_hash(&bytes);
            out.entry(&Located { log: &log, index: number, hash, bytes: &bytes, entry });
            all.push(bytes);
        }
        out.end().unwrap();
        let file = Bytes::from(sink.0.lock().clone());
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.schema().fields(), schema().fields());
        assert_eq!(reader.metadata().num_row_groups(), 3);
        let mut row = 0;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let column = |name| batch.column_by_name(name).unwrap();
            let (leaves, hashes) =
                (column("leaf").as_binary::<i32>(), column("leaf_hash").as_binary::<i32>());
            let index = column("index").as_primitive::<UInt64Type>();
            let datasets = column("datasets").as_string::<i32>();
            for at in 0..batch.num_rows() {
                assert_eq!(leaves.value(at), all[row].as_slice());
                assert_eq!(hashes.value(at), leaf_hash(leaves.value(at)).as_bytes());
                assert_eq!(index.value(at), row as u64);
                assert_eq!(datasets.value(at), "seizures,reports");
                row += 1;
            }
        }
        assert_eq!(row, all.len());
    }
}
