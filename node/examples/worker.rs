//! A worker process on its own, for the tests of this crate.

fn main() -> std::process::ExitCode {
    mayag_node::engine::worker::worker_main()
}
