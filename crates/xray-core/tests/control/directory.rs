//! Who may use which directory, and which sockets are alive.

use crate::{APP, app};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use xray_core::control::client::{Agent, ClientError};
use xray_core::control::directory::{AppDirectory, directory_name, slug};
use xray_core::control::private_dir::{DirectoryError, PrivateDir};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn everything_is_private() {
    let temporary = tempfile::tempdir().unwrap();
    let base = temporary.path().join("missing/base");
    let listener = app(&base).bind().unwrap();
    for directory in [&base, app(&base).path()] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    assert_eq!(mode(&listener.path()), 0o600);
    assert_eq!(mode(&app(&base).path().join("app")), 0o600);
    assert_eq!(std::fs::read_to_string(app(&base).path().join("app")).unwrap(), APP);
}

#[test]
fn a_directory_that_others_can_write_is_refused_and_says_so() {
    let base = tempfile::tempdir().unwrap();
    for bits in [0o770, 0o702, 0o777] {
        std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(bits)).unwrap();
        let refused = AppDirectory::open_or_create(base.path(), APP).unwrap_err();
        assert!(matches!(refused, DirectoryError::Writable { mode, .. } if mode == bits), "{refused}");
        assert!(refused.to_string().contains("chmod 700"), "{refused}");
        assert!(AppDirectory::list_apps(base.path()).is_err());
    }
}

#[test]
fn a_symbolic_link_is_refused_at_every_level() {
    let base = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = base.path().join("link");
    symlink(elsewhere.path(), &link).unwrap();
    assert!(matches!(AppDirectory::open_or_create(&link, APP), Err(DirectoryError::NotADirectory(_))));
    symlink(elsewhere.path(), base.path().join(directory_name(APP))).unwrap();
    assert!(matches!(AppDirectory::open_or_create(base.path(), APP), Err(DirectoryError::NotADirectory(_))));
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing was created behind the link");
}

#[test]
fn somebody_elses_directory_inside_is_refused_even_for_root() {
    let base = tempfile::tempdir().unwrap();
    let inside = base.path().join(directory_name(APP));
    std::fs::create_dir(&inside).unwrap();
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o700)).unwrap();
    if std::os::unix::fs::chown(&inside, Some(12_345), None).is_err() {
        return; // Only root can give a directory away.
    }
    let refused = AppDirectory::open_or_create(base.path(), APP).unwrap_err();
    assert!(matches!(refused, DirectoryError::Owner { owner: 12_345, .. }), "{refused}");
}

#[test]
fn what_root_creates_belongs_to_the_directorys_owner() {
    let base = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(base.path(), Some(12_345), Some(12_345)).is_err() {
        return;
    }
    std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let app = app(base.path());
    let session = app.begin_session(&crate::running("abc")).unwrap();
    let paths = ["app", "current", "sessions", "sessions/abc", "sessions/abc/session.json", "sessions/abc/tally"];
    for path in paths {
        let path = app.path().join(path);
        assert_eq!(std::fs::metadata(&path).unwrap().uid(), 12_345, "{}", path.display());
    }
    assert_eq!(session.file().unwrap().unwrap().spec.header.id.0, "abc");
}

#[test]
fn a_file_planted_as_a_link_or_a_fifo_is_not_read() {
    let base = tempfile::tempdir().unwrap();
    let directory = PrivateDir::open(base.path()).unwrap();
    std::fs::write(base.path().join("secret"), "secret").unwrap();
    symlink(base.path().join("secret"), base.path().join("link")).unwrap();
    assert!(matches!(directory.read("link", 100), Err(DirectoryError::Damaged(_))));
    rustix::fs::mkfifoat(rustix::fs::CWD, base.path().join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    assert!(matches!(directory.read("fifo", 100), Err(DirectoryError::Damaged(_))));
    assert!(matches!(directory.read("secret", 5), Err(DirectoryError::Damaged(_))), "over the limit");
    assert_eq!(directory.read("secret", 6).unwrap().unwrap(), b"secret");
    assert!(directory.read("missing", 6).unwrap().is_none());
}

#[test]
fn applications_are_listed_by_their_full_names() {
    let base = tempfile::tempdir().unwrap();
    assert!(AppDirectory::list_apps(&base.path().join("missing")).unwrap().is_empty());
    for name in ["shop: staging / eu", "blog.wsgi", "Ünïcödé 名前"] {
        AppDirectory::open_or_create(base.path(), name).unwrap();
    }
    std::fs::create_dir(base.path().join("no-app")).unwrap();
    let names: Vec<_> = AppDirectory::list_apps(base.path()).unwrap().iter().map(|a| a.name().to_owned()).collect();
    assert_eq!(names, ["blog.wsgi", "shop: staging / eu", "Ünïcödé 名前"]);
}

#[test]
fn names_with_equal_slugs_have_different_directories() {
    assert_eq!(slug("Blog  WSGI/../x"), "blog-wsgi-x");
    assert_eq!(slug("名前"), "app");
    assert_eq!(slug(&"a".repeat(500)).len(), 40);
    assert_ne!(directory_name("blog wsgi"), directory_name("blog-wsgi"));
}

#[test]
fn a_name_of_another_application_in_the_directory_is_a_collision() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(app(base.path()).path().join("app"), "another").unwrap();
    assert!(matches!(AppDirectory::open_or_create(base.path(), APP), Err(DirectoryError::Collision { .. })));
}

#[test]
fn a_socket_is_removed_only_when_its_process_is_dead() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    let dead = app.path().join("4000000.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let alive = app.path().join("4000001.sock");
    let _listener = UnixListener::bind(&alive).unwrap();
    let sockets = app.sockets().unwrap();
    assert_eq!(sockets.iter().map(|s| s.pid).collect::<Vec<_>>(), [4_000_000, 4_000_001]);
    assert!(matches!(Agent::connect(&app, &sockets[0]), Err(ClientError::Gone)));
    assert!(matches!(Agent::connect(&app, &sockets[1]), Err(ClientError::Silent)), "it listens and says nothing");
    assert!(!dead.exists());
    assert!(alive.exists());
}

#[test]
fn binding_replaces_a_dead_socket_of_the_same_pid_and_spares_a_living_one() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    let name = app.path().join(format!("{}.sock", std::process::id()));
    drop(UnixListener::bind(&name).unwrap());
    let first = app.bind().unwrap();
    assert_eq!(first.path(), name);
    let second = app.bind().unwrap();
    assert_ne!(second.path(), name);
    assert_eq!(app.sockets().unwrap().len(), 2);
    UnixStream::connect(&name).unwrap();
    drop((first, second));
    assert!(app.sockets().unwrap().is_empty(), "a socket goes with its listener");
}

#[test]
fn a_path_longer_than_a_socket_address_works() {
    let temporary = tempfile::tempdir().unwrap();
    let base = temporary.path().join("d".repeat(150));
    let agent = crate::fake_agent::FakeAgent::start(&base, APP, Default::default());
    let app = app(&base);
    let connected = Agent::connect(&app, &app.sockets().unwrap()[0]).unwrap();
    assert_eq!(connected.info().app, APP);
    drop(agent);
    assert!(app.sockets().unwrap().is_empty());
}
