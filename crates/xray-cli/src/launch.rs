//! `xray run`: become a Python program with the agent inside.

use crate::errors::{CliError, Outcome};
use crate::options::RunOptions;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directory of the Python package; the wheel's console script sets it.
const PACKAGE_VARIABLE: &str = "XRAY_PACKAGE_DIR";
const APP_VARIABLE: &str = "XRAY_APP";
/// Tells `sitecustomize` that it runs in the very program that the user started.
const RUN_PID_VARIABLE: &str = "XRAY_RUN_PID";
/// In the package: the directory that holds only `sitecustomize.py`.
const BOOTSTRAP: &str = "_bootstrap";

/// Replaces this process by the program. Returns only when that fails.
///
/// # Errors
/// [`CliError::Usage`]: the program or the package cannot be found.
pub(crate) fn run(options: &RunOptions) -> Result<Outcome, CliError> {
    let bootstrap = package_directory()?.join(BOOTSTRAP);
    if !bootstrap.join("sitecustomize.py").is_file() {
        return Err(CliError::Usage(format!(
            "{} has no sitecustomize.py: reinstall the package (pip install --force-reinstall xray-session)",
            bootstrap.display()
        )));
    }
    let error = command(options, &bootstrap)?.exec();
    let program = options.program.to_string_lossy();
    Err(CliError::Usage(match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{program}: not found: give the program's path, or activate its environment")
        }
        _ => format!("{program}: cannot be run: {error}"),
    }))
}

fn command(options: &RunOptions, bootstrap: &Path) -> Result<Command, CliError> {
    let mut command = Command::new(&options.program);
    command
        .args(&options.arguments)
        .env("PYTHONPATH", python_path(bootstrap, std::env::var_os("PYTHONPATH"))?)
        // exec keeps the process id.
        .env(RUN_PID_VARIABLE, std::process::id().to_string())
        // For this process only: the program may start an `xray` of another environment.
        .env_remove(PACKAGE_VARIABLE);
    command.env(APP_VARIABLE, options.app.clone().unwrap_or_else(|| app_name(&options.program, &options.arguments)));
    Ok(command)
}

fn python_path(bootstrap: &Path, before: Option<OsString>) -> Result<OsString, CliError> {
    let rest = before.filter(|path| !path.is_empty());
    let rest = rest.as_deref().map(std::env::split_paths).into_iter().flatten().filter(|path| path != bootstrap);
    std::env::join_paths(std::iter::once(bootstrap.to_owned()).chain(rest))
        .map_err(|_| CliError::Usage(format!("{} holds a colon: install xray elsewhere", bootstrap.display())))
}

/// The program and its working directory: `gunicorn /srv/blog`, `manage /srv/blog` for `python manage.py runserver`.
fn app_name(program: &OsStr, arguments: &[OsString]) -> String {
    let directory = std::env::current_dir().unwrap_or_default();
    let name = program_name(program, arguments).unwrap_or_else(|| "python".to_owned());
    format!("{name} {}", directory.display())
}

fn program_name(program: &OsStr, arguments: &[OsString]) -> Option<String> {
    let stem = |path: &OsStr| {
        let name = Path::new(path).file_name()?.to_string_lossy().into_owned();
        Some(name.strip_suffix(".py").map_or(name.clone(), str::to_owned))
    };
    let name = stem(program)?;
    if !name.starts_with("python") && !name.starts_with("pypy") {
        return Some(name);
    }
    // The interpreter is not the program: its first argument that is no option is, or the module after -m.
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("-m") => return words.next().map(|module| module.to_string_lossy().into_owned()),
            Some("-X" | "-W" | "--check-hash-based-pycs") => drop(words.next()),
            Some("-c") => return None,
            Some(option) if option.starts_with('-') => {}
            _ => return stem(word),
        }
    }
    None
}

fn package_directory() -> Result<PathBuf, CliError> {
    if let Some(directory) = std::env::var_os(PACKAGE_VARIABLE).filter(|d| !d.is_empty()) {
        return Ok(PathBuf::from(directory));
    }
    let question = "import xray, os; print(os.path.dirname(os.path.abspath(xray.__file__)))";
    let missing = || {
        CliError::Usage(
            "the Python package is not found by `python3`: install it there (pip install xray-session), \
             or activate the environment that has it"
                .to_owned(),
        )
    };
    let answer = Command::new("python3").args(["-c", question]).output().map_err(|_| missing())?;
    let directory = String::from_utf8_lossy(&answer.stdout).trim_end_matches('\n').to_owned();
    if answer.status.success() && !directory.is_empty() { Ok(PathBuf::from(directory)) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(line: &str) -> Option<String> {
        let mut words = line.split(' ').map(OsString::from);
        let program = words.next().unwrap();
        program_name(&program, &words.collect::<Vec<_>>())
    }

    #[test]
    fn the_program_is_what_people_call_it() {
        for (line, expected) in [
            ("/usr/bin/gunicorn -w 2 blog.wsgi", "gunicorn"),
            ("./serve.py", "serve"),
            ("python manage.py runserver", "manage"),
            ("/opt/py/bin/python3.12 -X dev -u manage.py", "manage"),
            ("python3 -m uvicorn app:app", "uvicorn"),
        ] {
            assert_eq!(name(line).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(name("python"), None);
        assert_eq!(name("python -c pass"), None);
    }

    #[test]
    fn the_bootstrap_directory_comes_first_and_once() {
        let path = |before: Option<&str>| python_path(Path::new("/x/_bootstrap"), before.map(OsString::from)).unwrap();
        assert_eq!(path(None), "/x/_bootstrap");
        assert_eq!(path(Some("")), "/x/_bootstrap");
        assert_eq!(path(Some("/a:/x/_bootstrap:/b")), "/x/_bootstrap:/a:/b");
    }
}
