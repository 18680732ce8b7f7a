//! What one transaction is called.

use super::{method, template};
use crate::limits::NAME_BYTES;
use crate::model::TransactionKind;

/// The one name of all requests that no route matches: paths that clients invent never become names.
pub const NOT_FOUND: &str = "(not found)";

/// All that is known about the name of one transaction, and the forms in which it is compared and shown, made once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransactionName {
    kind: TransactionKind,
    method: Option<&'static str>,
    route: Option<String>,
    handler: Option<String>,
    url_name: Option<String>,
    plain: Option<String>,
    canonical: String,
    display: String,
    canonical_handler: Option<String>,
}

impl TransactionName {
    /// The name of a routed request. `route` is the template as the framework writes it, `handler` the view
    /// (`blog.views.tag_detail`, `blog.views:V.get`), `url_name` Django's url name or Flask's endpoint. With none of
    /// the three the request was not found. Parts longer than [`NAME_BYTES`] are cut.
    pub fn routed(
        kind: TransactionKind,
        method: Option<&str>,
        route: Option<&str>,
        handler: Option<&str>,
        url_name: Option<&str>,
    ) -> Self {
        let [route, handler, url_name] = [route, handler, url_name].map(|part| part.map(cut));
        let canonical_handler = handler.as_deref().map(canonical_handler);
        let (canonical, display) = match (&route, &canonical_handler, &url_name) {
            (Some(route), ..) => (template::canonical_route(route), template::display_route(route)),
            (None, Some(name), _) | (None, None, Some(name)) => (name.clone(), name.clone()),
            (None, None, None) => return Self::not_found(kind),
        };
        let method = method.map(method::normalize);
        Self { kind, method, route, handler, url_name, plain: None, canonical, display, canonical_handler }
    }

    /// The name of a task or a marked block.
    pub fn plain(kind: TransactionKind, name: &str) -> Self {
        let name = cut(name);
        Self {
            kind,
            method: None,
            route: None,
            handler: None,
            url_name: None,
            plain: Some(name.clone()),
            canonical: name.clone(),
            display: name,
            canonical_handler: None,
        }
    }

    /// The name that all requests without a route share.
    pub fn not_found(kind: TransactionKind) -> Self {
        Self::plain(kind, NOT_FOUND)
    }

    /// Its kind.
    pub fn kind(&self) -> TransactionKind {
        self.kind
    }

    /// HTTP method in upper case; `_OTHER` for one that is not registered.
    pub fn method(&self) -> Option<&str> {
        self.method
    }

    /// Route template as the framework writes it.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Handler as it was given.
    pub fn handler(&self) -> Option<&str> {
        self.handler.as_deref()
    }

    /// Url name or endpoint.
    pub fn url_name(&self) -> Option<&str> {
        self.url_name.as_deref()
    }

    /// Name of a task or marked block, or [`NOT_FOUND`].
    pub fn plain_name(&self) -> Option<&str> {
        self.plain.as_deref()
    }

    /// Canonical form without method: the route `/tags/{}/`, or else the handler, url name or plain name.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// For people and for `--transaction`: `/tags/<tag>/`.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Handler with dots only: `blog.views.tag_detail`.
    pub fn canonical_handler(&self) -> Option<&str> {
        self.canonical_handler.as_deref()
    }
}

/// `blog.views:tag_detail` and `blog.views.tag_detail` are one handler.
pub(super) fn canonical_handler(handler: &str) -> String {
    handler.replace(':', ".")
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(NAME_BYTES)].to_owned()
}
