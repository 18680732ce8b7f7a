//! Every spelling of a target, and what it means.

use super::*;
use crate::model::{Target, TargetKind, TransactionKind};
use proptest::prelude::*;

/// An application: Django's blog (also as a DRF-like class), a Flask endpoint, Celery tasks, marked blocks.
fn known() -> Vec<KnownTransaction> {
    let web = |methods: &[&str], route, handler, url_name, per_minute| KnownTransaction {
        name: TransactionName::routed(TransactionKind::Web, None, Some(route), Some(handler), Some(url_name)),
        methods: methods.iter().map(|&m| m.to_owned()).collect(),
        per_minute,
    };
    let plain = |kind, name| KnownTransaction {
        name: TransactionName::plain(kind, name),
        methods: Vec::new(),
        per_minute: 1.0,
    };
    vec![
        web(&[], "tags/<tag>/", "blog.views.tag_detail", "blog:tag", 120.0),
        web(&[], "tags/", "blog.views.tag_list", "blog:tags", 9.0),
        web(&[], "posts/<int:pk>/", "blog.views.V", "blog:post", 30.0),
        web(&[], "", "blog.views.home", "home", 60.0),
        web(&["GET", "HEAD"], "/search/<path:query>", "shop:search", "bp.search", 5.0),
        web(&[], r"^old/(?P<year>[0-9]{4})/$", "blog.views.<lambda>", "old", 0.0),
        plain(TransactionKind::Background, "app.tasks.add"),
        plain(TransactionKind::Other, "nightly import"),
        plain(TransactionKind::Other, "jobs.sync:run"),
        plain(TransactionKind::Web, NOT_FOUND),
    ]
}

fn resolve(path: &str) -> Option<String> {
    match path {
        "/" => Some(String::new()),
        p if p.starts_with("/tags/") && p.matches('/').count() == 3 && !p.contains('%') => Some("tags/<tag>/".into()),
        _ => None,
    }
}

fn look(given: &str) -> Resolution {
    lookup(given, &known(), resolve).unwrap()
}

#[test]
fn every_spelling_of_a_known_name() {
    use TargetKind::{Glob, Handler, Plain, Regex, Route, UrlName};
    let (tag, route) = ("/tags/<tag>/", "/tags/{}/");
    for (given, kind, canonical, means) in [
        // the route, as frameworks and people write it
        ("/tags/<tag>/", Route, route, tag),
        ("tags/<tag>/", Route, route, tag),
        ("  /tags/<tag>/ ", Route, route, tag),
        ("/tags/{tag}/", Route, route, tag),
        ("/tags/{tag:path}/", Route, route, tag),
        (r"/tags/{tag:[a-z]{2,}}/", Route, route, tag),
        ("/tags/<str:tag>/", Route, route, tag),
        ("/tags/<any(a, b):tag>/", Route, route, tag),
        ("/tags/:tag/", Route, route, tag),
        (r"/tags/:tag(\d+)/", Route, route, tag),
        ("/tags/{}/", Route, route, tag),
        ("/tags/<slug:other_name>/", Route, route, tag),
        // regular expressions, as Django's re_path takes them
        ("^tags/(?P<tag>[^/]+)/$", Route, route, tag),
        ("^/tags/(?P<tag>[^/]+)/$", Route, route, tag),
        (r"^tags/(?P<tag>[\w-]+)/\Z", Route, route, tag),
        (r"\Atags/(?P<tag>[\w-]+)/\Z", Route, route, tag),
        (r"^tags/(\w+)/$", Route, route, tag),
        (r"^tags/((a|b)+)/$", Route, route, tag),
        (r"^tags/(?P<tag>a(b(c)?)+)/$", Route, route, tag),
        (r"^tags/(?:(?P<tag>\w+)/)?$", Route, route, tag),
        (r"^tags/((?P<tag>\w+)/)?$", Route, route, tag),
        (r"^tags/(?:a|b)/$", Route, route, tag),
        (r"^tags/[a-z][a-z\]]*/$", Route, route, tag),
        (r"^tags/\d{1,4}/?$", Route, route, tag),
        (r"(?i)^tags/(?P<tag>.+?)/$", Route, route, tag),
        (r"^tags/(?!admin)(?P<tag>[^/)]+)/$", Route, route, tag),
        ("tags/^(?P<tag>[^/]+)/$", Route, route, tag),
        ("^tags/<str:tag>/$", Route, route, tag),
        (r"^old/(?P<y>\d{4})/$", Route, "/old/{}/", "/old/<year>/"),
        ("/old/<year>/", Route, "/old/{}/", "/old/<year>/"),
        // with methods
        ("GET /tags/<tag>/", Route, "GET /tags/{}/", tag),
        ("get tags/<tag>/", Route, "GET /tags/{}/", tag),
        ("POST,GET /tags/<tag>/", Route, "GET,POST /tags/{}/", tag),
        (r"GET ^tags/(?P<tag>[^/]+)/$", Route, "GET /tags/{}/", tag),
        ("GET /search/<q>", Route, "GET /search/{}", "/search/<path:query>"),
        ("GET blog.views.tag_detail", Handler, "GET blog.views.tag_detail", tag),
        // concrete paths, resolved by the application's router
        ("/tags/django/", Route, route, tag),
        ("tags/django/", Route, route, tag),
        ("/tags/django/?page=2", Route, route, tag),
        ("https://blog.example/tags/django/?page=2#top", Route, route, tag),
        ("/tags/caf%C3%A9/", Route, route, tag),
        ("GET /tags/django/", Route, "GET /tags/{}/", tag),
        ("/tags/", Route, "/tags/", "/tags/"),
        ("/", Route, "/", "/"),
        // handlers
        ("blog.views.tag_detail", Handler, "blog.views.tag_detail", tag),
        ("blog.views:tag_detail", Handler, "blog.views.tag_detail", tag),
        ("tag_detail", Handler, "blog.views.tag_detail", tag),
        ("views.tag_detail", Handler, "blog.views.tag_detail", tag),
        ("blog.views.V", Handler, "blog.views.V", "/posts/<int:pk>/"),
        ("blog.views.V.get", Handler, "blog.views.V.get", "/posts/<int:pk>/"),
        ("V.get", Handler, "blog.views.V.get", "/posts/<int:pk>/"),
        ("shop.search", Handler, "shop.search", "/search/<path:query>"),
        ("blog.views.<lambda>", Handler, "blog.views.<lambda>", "/old/<year>/"),
        // url names and endpoints
        ("blog:tag", UrlName, "blog:tag", tag),
        ("bp.search", UrlName, "bp.search", "/search/<path:query>"),
        ("home", UrlName, "home", "/"),
        // New Relic
        ("WebTransaction/Function/blog.views:tag_detail", Handler, "blog.views.tag_detail", tag),
        ("WebTransaction/Function/blog.views:V.get", Handler, "blog.views.V.get", "/posts/<int:pk>/"),
        ("WebTransaction/Uri/tags/django/", Route, "/tags/django/", ""),
        ("OtherTransaction/Celery/app.tasks.add", Plain, "app.tasks.add", "app.tasks.add"),
        ("OtherTransaction/Function/jobs.sync:run", Plain, "jobs.sync.run", "jobs.sync:run"),
        // Celery
        ("celery:app.tasks.add", Plain, "app.tasks.add", "app.tasks.add"),
        ("run/app.tasks.add", Plain, "app.tasks.add", "app.tasks.add"),
        ("app.tasks.add", Plain, "app.tasks.add", "app.tasks.add"),
        // marked blocks and what was not found
        ("nightly import", Plain, "nightly import", "nightly import"),
        ("jobs.sync:run", Plain, "jobs.sync:run", "jobs.sync:run"),
        ("404", Plain, NOT_FOUND, NOT_FOUND),
        ("GET 404", Plain, NOT_FOUND, NOT_FOUND),
        ("(not found)", Plain, NOT_FOUND, NOT_FOUND),
        // patterns
        ("/tags/<any>/*", Glob, "/tags/{}/*", tag),
        ("/old*", Glob, "/old*", "/old/<year>/"),
        ("old/*/", Glob, "/old/*/", "/old/<year>/"),
        ("GET /old/*", Glob, "GET /old/*", "/old/<year>/"),
        ("*/search/*", Glob, "*/search/*", "/search/<path:query>"),
        ("blog.views.tag_d*", Glob, "blog.views.tag_d*", tag),
        ("WebTransaction/Function/*:tag_d*", Glob, "*:tag_d*", ""),
        ("re:^/tags/<", Regex, "^/tags/<", tag),
        ("re:(?i)TAG_DETAIL$", Regex, "(?i)TAG_DETAIL$", tag),
    ] {
        let resolution = look(given);
        assert_eq!((resolution.target.kind, resolution.target.canonical.as_str()), (kind, canonical), "{given}");
        assert_eq!(resolution.target.given, given);
        assert_eq!(resolution.known, !means.is_empty(), "{given}");
        if resolution.known {
            let matcher = Matcher::new(&resolution.target).unwrap();
            let meant: Vec<_> =
                known().iter().filter(|k| matcher.may_match(k)).map(|k| k.name.display().to_owned()).collect();
            assert_eq!(meant, [means], "{given}");
        }
    }
}

#[test]
fn the_form_alone_decides_for_an_application_not_yet_seen() {
    use TargetKind::{Glob, Handler, Plain, Route};
    for (given, kind, canonical) in [
        ("x/<y>", Route, "/x/{}"),
        ("/x", Route, "/x"),
        ("GET,POST /x", Route, "GET,POST /x"),
        ("a.b.c", Handler, "a.b.c"),
        ("a.b:C.get", Handler, "a.b.C.get"),
        ("__main__:main", Handler, "__main__.main"),
        ("ns:name", Plain, "ns:name"),
        ("name", Plain, "name"),
        ("RUN nightly", Plain, "RUN nightly"),
        ("GET", Plain, "GET"),
        ("celery:add", Plain, "add"),
        ("run/this/", Route, "/run/this/"),
        ("*", Glob, "*"),
    ] {
        let resolution = lookup(given, &[], |_| None).unwrap();
        assert_eq!((resolution.target.kind, resolution.target.canonical.as_str()), (kind, canonical), "{given}");
        assert!(!resolution.known && resolution.nearest.is_empty());
    }
}

fn matches(given: &str, name: &TransactionName) -> bool {
    Matcher::new(&parse(given).unwrap()).unwrap().matches(name)
}

#[test]
fn methods_count_where_they_are_given() {
    let get = TransactionName::routed(TransactionKind::Web, Some("get"), Some("x"), Some("a.V"), None);
    let post = TransactionName::routed(TransactionKind::Web, Some("POST"), Some("x"), Some("a.V"), None);
    for (given, gets, posts) in [
        ("/x", true, true),
        ("GET /x", true, false),
        ("GET,POST /x", true, true),
        ("PUT /x", false, false),
        ("a.V", true, true),
        ("a.V.get", true, false),
        ("POST a.V", false, true),
        ("GET /*", true, false),
        ("re:^POST ", false, true),
        ("/x/", false, false),
        ("/X", false, false),
    ] {
        assert_eq!((matches(given, &get), matches(given, &post)), (gets, posts), "{given}");
    }
    let by_method = TransactionName::routed(TransactionKind::Web, Some("GET"), Some("x"), Some("a:V.get"), None);
    assert!(matches("a.V", &by_method) && matches("a.V.get", &by_method) && !matches("a.V.post", &by_method));
    assert!(!matches("a", &by_method), "a module is not a class");
}

#[test]
fn a_star_matches_every_kind() {
    let all = known();
    assert!(all.iter().all(|k| matches("*", &k.name)));
    let routes = all.iter().filter(|k| matches("/*", &k.name)).count();
    assert_eq!(routes, 6);
}

#[test]
fn clients_cannot_invent_names() {
    let lost = |method| TransactionName::routed(TransactionKind::Web, Some(method), None, None, None);
    assert_eq!(lost("GET"), lost("PUT"));
    assert_eq!(lost("GET").display(), NOT_FOUND);
    let odd = TransactionName::routed(TransactionKind::Web, Some("X1\u{0}"), Some("/x"), None, None);
    assert_eq!(odd.method(), Some("_OTHER"));
}

#[test]
fn names_are_shown_as_the_framework_writes_them() {
    for (route, display) in [
        ("tags/<str:tag>/", "/tags/<str:tag>/"),
        ("/tags/{tag:path}", "/tags/{tag:path}"),
        (r"^tags/(?P<tag>[^/]+)/$", "/tags/<tag>/"),
        (r"blog/^(\d+)/(?P<slug>[-\w]+)\.html$", "/blog/<arg>/<slug>.html"),
        ("", "/"),
    ] {
        assert_eq!(display_route(route), display);
    }
}

#[test]
fn an_unknown_name_gives_the_nearest_ones() {
    let nearest = |given: &str| -> Vec<String> {
        let resolution = look(given);
        assert!(!resolution.known, "{given}");
        resolution.nearest.iter().map(|&i| known()[i].name.display().to_owned()).collect()
    };
    for (given, first) in [
        ("/tags/<tag>", "/tags/<tag>/"),
        ("/tags", "/tags/"),
        ("/Tags/<tag>/", "/tags/<tag>/"),
        ("/tag/<tag>/", "/tags/<tag>/"),
        ("/posts/7", "/posts/<int:pk>/"),
        ("POST /search/<q>", "/search/<path:query>"),
        ("blog.views.tag_details", "/tags/<tag>/"),
        ("blog:tagg", "/tags/<tag>/"),
        ("app.tasks.ad", "app.tasks.add"),
        ("nightly imports", "nightly import"),
        ("/archive/*", "/tags/<tag>/"),
    ] {
        let names = nearest(given);
        assert!(names.len() <= 5);
        if given != "/archive/*" {
            assert_eq!(names[0], first, "{given}: {names:?}");
        }
    }
}

#[test]
fn two_handlers_with_one_end_are_not_guessed() {
    let named = |handler| KnownTransaction {
        name: TransactionName::routed(TransactionKind::Web, None, Some(handler), Some(handler), None),
        methods: Vec::new(),
        per_minute: 0.0,
    };
    let resolution = lookup("detail", &[named("a.views.detail"), named("b.views.detail")], |_| None).unwrap();
    assert!(!resolution.known);
    assert_eq!(resolution.nearest.len(), 2);
}

#[test]
fn what_cannot_be_used_says_why() {
    assert_eq!(parse("  "), Err(TargetError::Empty));
    assert_eq!(parse(&"x".repeat(2_000)), Err(TargetError::TooLong));
    let error = parse("re:(").unwrap_err().to_string();
    assert!(error.contains("unclosed group") && !error.contains('\n'), "{error}");
    assert!(matches!(parse(r"re:(\w{1000}){1000}"), Err(TargetError::Regex(_))));
    assert_eq!(parse("re:").unwrap_err(), TargetError::Empty);
}

#[test]
fn brackets_that_do_not_pair_have_one_canonical_form() {
    assert_eq!(canonical_route("<{<}>"), "/{}");
    assert_eq!(canonical_route(&canonical_route("<{<}>")), "/{}");
}

proptest! {
    #[test]
    fn no_text_panics_and_canonical_forms_stay(text in "[/<>{}():?P\\^$\\[\\]|*+.,\\\\a-c0-9 #%\u{e9}]{0,40}") {
        let canonical = canonical_route(&text);
        prop_assert!(canonical.starts_with('/'));
        let _ = display_route(&text);
        if !text.contains(['(', '\\', '^', '$', '[']) {
            prop_assert_eq!(canonical_route(&canonical), canonical);
        }
        if let Ok(resolution) = lookup(&text, &known(), resolve) {
            Matcher::new(&resolution.target).unwrap();
        }
    }

    #[test]
    fn any_target_that_came_over_the_socket_is_safe(canonical in ".{0,60}", kind in 0..6_usize) {
        use TargetKind::{Glob, Handler, Plain, Regex, Route, UrlName};
        let kind = [Route, Handler, UrlName, Plain, Glob, Regex][kind];
        if let Ok(matcher) = Matcher::new(&Target { given: String::new(), canonical, kind }) {
            known().iter().for_each(|k| { matcher.matches(&k.name); });
        }
    }

    #[test]
    fn a_glob_matches_what_its_stars_stand_for(parts in proptest::collection::vec("[ab/]{0,3}", 1..5), fill in "[ab/]{0,4}") {
        let (pattern, text) = (parts.join("*"), parts.join(&fill));
        let text = if parts.len() == 1 { pattern.clone() } else { text };
        prop_assert!(glob::Glob::new(&pattern).matches(&text));
        let longer = format!("{}c", text);
        prop_assert_eq!(glob::Glob::new(&pattern).matches(&longer), pattern.ends_with('*'));
    }
}
