//! The `xray` command.

fn main() {
    std::process::exit(xray_cli::run(std::env::args_os()));
}
