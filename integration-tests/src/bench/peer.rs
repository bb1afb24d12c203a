//! The peer: DataFusion as it comes, in a process of its own like a worker, with the worker's partitions and memory.
//!
//! It reads one SQL query a line and writes the length of an Arrow IPC stream, then the stream: the same pipes and the
//! same encoding as between a node and its worker.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// The peer's own process: `bench peer FOLDER CORES MEMORY`.
pub(crate) fn main(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [folder, cores, memory] = arguments else { return Err("peer FOLDER CORES MEMORY".into()) };
    let (cores, memory): (usize, usize) = (cores.parse()?, memory.parse()?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build()?;
    runtime.block_on(async {
        let pool = Arc::new(FairSpillPool::new(memory));
        let environment = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        let config = SessionConfig::new().with_target_partitions(cores);
        let context = SessionContext::new_with_config_rt(config, environment);
        for table in ["incidents", "contacts"] {
            context.register_parquet(table, folder, ParquetReadOptions::default()).await?;
        }
        for sql in std::io::stdin().lock().lines() {
            let frame = context.sql(&sql?).await?;
            let batches = frame.collect().await?;
            let schema = batches.first().map(RecordBatch::schema).ok_or("no result")?;
            let mut bytes = Vec::new();
            let mut writer = StreamWriter::try_new(&mut bytes, &schema)?;
            writer.write(&concat_batches(&schema, &batches)?)?;
            writer.finish()?;
            let mut out = std::io::stdout().lock();
            out.write_all(&(bytes.len() as u64).to_le_bytes())?;
            out.write_all(&bytes)?;
            out.flush()?;
        }
        Ok(())
    })
}

/// A running peer. Dropped, it ends.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        cores: usize,
        memory: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program)
            .arg("peer")
            .arg(folder)
            .args([cores.to_string(), memory.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no pipe")?;
        let output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Self { child, input, output })
    }

    pub(crate) fn query(&mut self, sql: &str) -> Result<RecordBatch, Box<dyn Error>> {
        writeln!(self.input, "{}", sql.replace('\n', " "))?;
        self.input.flush()?;
        let mut length = [0; 8];
        self.output.read_exact(&mut length)?;
        let mut bytes = Vec::new();
        self.output.by_ref().take(u64::from_le_bytes(length)).read_to_end(&mut bytes)?;
        Ok(StreamReader::try_new(bytes.as_slice(), None)?.next().ok_or("no batch")??)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
