//! The applications that this user can see, and which of them a command is about.

use crate::errors::CliError;
use xray_core::control::directory::{AppDirectory, base_directory, visible_base_directories};
use xray_core::control::private_dir::DirectoryError;
use xray_core::control::survey;
use xray_core::model::SessionId;

impl From<DirectoryError> for CliError {
    fn from(error: DirectoryError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// All applications with a directory, living or not. A base directory of somebody else that cannot be used is left
/// out; the own one must be in order.
///
/// # Errors
/// [`CliError::Unavailable`].
pub(crate) fn all() -> Result<Vec<AppDirectory>, CliError> {
    let own = base_directory();
    let mut apps = AppDirectory::list_apps(&own)?;
    for base in visible_base_directories().into_iter().filter(|base| *base != own) {
        apps.extend(AppDirectory::list_apps(&base).unwrap_or_default());
    }
    Ok(apps)
}

/// The application with this name, or with the only name that contains it; without a name the only one that runs.
///
/// # Errors
/// [`CliError::Unavailable`] that says which ones run.
pub(crate) fn choose(name: Option<&str>) -> Result<AppDirectory, CliError> {
    let mut running = Vec::new();
    for app in all()? {
        if !survey::processes(&app)?.is_empty() {
            running.push(app);
        }
    }
    choose_among(name, running)
}

fn choose_among(name: Option<&str>, running: Vec<AppDirectory>) -> Result<AppDirectory, CliError> {
    let names = running.iter().map(|app| format!("{:?}", app.name())).collect::<Vec<_>>().join(", ");
    if running.is_empty() {
        return Err(CliError::Unavailable(match name {
            Some(name) => format!("no application {name:?} is running: {START}"),
            None => format!("no application with an agent is running: {START}"),
        }));
    }
    let fits = |app: &AppDirectory, exact: bool| {
        name.is_none_or(|name| if exact { app.name() == name } else { app.name().contains(name) })
    };
    let exact = name.is_some() && running.iter().any(|app| fits(app, true));
    let mut chosen: Vec<_> = running.into_iter().filter(|app| fits(app, exact)).collect();
    match (chosen.len(), name) {
        (1, _) => Ok(chosen.remove(0)),
        (0, Some(name)) => {
            Err(CliError::Unavailable(format!("no application {name:?} is running; these are: {names}")))
        }
        (_, Some(name)) if !exact => {
            Err(CliError::Unavailable(format!("several applications fit {name:?}: choose one of {names} with --app")))
        }
        _ => {
            let paths = chosen.iter().map(|a| a.path().display().to_string()).collect::<Vec<_>>().join(", ");
            Err(CliError::Unavailable(format!(
                "several applications are running: choose one of {names} with --app, or one user's by XRAY_SOCKET_DIR ({paths})"
            )))
        }
    }
}

const START: &str =
    "start it with `xray run -- PROGRAM`, or call xray.install() in it; its agent starts with the first request";

/// The application that has a session with this id.
///
/// # Errors
/// [`CliError::Unavailable`] for an unknown one.
pub(crate) fn with_session(id: &SessionId) -> Result<AppDirectory, CliError> {
    for app in all()? {
        if app.session(id)?.is_some() {
            return Ok(app);
        }
    }
    Err(CliError::Unavailable(format!("no session {:?} is known: `xray session list` shows all", id.0)))
}
