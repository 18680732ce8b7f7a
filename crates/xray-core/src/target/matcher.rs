//! Whether a transaction is the one a session is about.

use super::glob::Glob;
use super::name::canonical_handler;
use super::{KnownTransaction, TargetError, TransactionName, method};
use crate::limits::{NAME_BYTES, TARGET_REGEX_BYTES};
use crate::model::{Target, TargetKind};
use regex::{Regex, RegexBuilder};

/// A target, compiled. Matching takes time linear in the name.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Only these; empty for all.
    methods: Vec<&'static str>,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Route(String),
    UrlName(String),
    /// A handler, or any other name as written.
    Name {
        handler: String,
        written: String,
    },
    Glob(Glob),
    Regex(Regex),
}

impl Matcher {
    /// Compiles a target's canonical form.
    ///
    /// # Errors
    /// [`TargetError`] when it is empty, too long, or a regular expression that does not compile.
    pub fn new(target: &Target) -> Result<Self, TargetError> {
        if target.canonical.is_empty() {
            return Err(TargetError::Empty);
        }
        // Canonical forms are at most a slash longer for each parameter than what was given.
        if target.canonical.len() > 2 * NAME_BYTES {
            return Err(TargetError::TooLong);
        }
        if target.kind == TargetKind::Regex {
            return Ok(Self { methods: Vec::new(), test: Test::Regex(compile(&target.canonical)?) });
        }
        let (methods, rest) = method::split(&target.canonical);
        let test = match target.kind {
            TargetKind::Route => Test::Route(rest.to_owned()),
            TargetKind::UrlName => Test::UrlName(rest.to_owned()),
            TargetKind::Glob => Test::Glob(Glob::new(rest)),
            TargetKind::Handler | TargetKind::Plain | TargetKind::Regex => {
                Test::Name { handler: canonical_handler(rest), written: rest.to_owned() }
            }
        };
        Ok(Self { methods, test })
    }

    /// Whether the target means this transaction.
    pub fn matches(&self, name: &TransactionName) -> bool {
        let has_method = |method: &str| name.method() == Some(method);
        (self.methods.is_empty() || self.methods.iter().any(|m| has_method(m))) && self.test(name, &has_method)
    }

    /// Whether it may mean this known transaction: one whose methods are not known may have any.
    pub(super) fn may_match(&self, known: &KnownTransaction) -> bool {
        let has_method = |method: &str| {
            let own = known.name.method();
            own == Some(method)
                || known.methods.iter().any(|m| m.eq_ignore_ascii_case(method))
                || (own.is_none() && known.methods.is_empty() && known.name.plain_name().is_none())
        };
        (self.methods.is_empty() || self.methods.iter().any(|m| has_method(m))) && self.test(&known.name, &has_method)
    }

    fn test(&self, name: &TransactionName, has_method: &dyn Fn(&str) -> bool) -> bool {
        match &self.test {
            Test::Route(canonical) => name.route().is_some() && name.canonical() == canonical,
            Test::UrlName(url_name) => name.url_name() == Some(url_name),
            Test::Name { handler, written } => {
                name.canonical_handler().is_some_and(|theirs| is_handler(handler, theirs, has_method))
                    || name.url_name() == Some(written)
                    || name.plain_name().is_some_and(|plain| plain == written || canonical_handler(plain) == *handler)
            }
            Test::Glob(glob) => forms(name).into_iter().flatten().any(|form| glob.matches(form)),
            Test::Regex(regex) => {
                let with_method = name.method().map(|method| format!("{method} {}", name.display()));
                let forms = forms(name).into_iter().chain([Some(name.display()), with_method.as_deref()]);
                forms.flatten().any(|form| regex.is_match(form))
            }
        }
    }
}

/// All that a pattern is tried on.
fn forms(name: &TransactionName) -> [Option<&str>; 3] {
    [Some(name.canonical()), name.canonical_handler(), name.url_name()]
}

/// Whether a handler is the given one. A class-based view is meant by its class and by its method: `blog.views.V` by
/// `blog.views.V.get` and the other way round, for requests of that method.
fn is_handler(given: &str, theirs: &str, has_method: &dyn Fn(&str) -> bool) -> bool {
    let method_of = |longer: &str, shorter: &str| -> Option<&'static str> {
        let last = longer.strip_prefix(shorter)?.strip_prefix('.')?;
        let upper = method::normalize(last);
        upper.eq_ignore_ascii_case(last).then_some(upper)
    };
    given == theirs || method_of(theirs, given).is_some() || method_of(given, theirs).is_some_and(has_method)
}

fn compile(pattern: &str) -> Result<Regex, TargetError> {
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(TARGET_REGEX_BYTES).dfa_size_limit(TARGET_REGEX_BYTES).nest_limit(100);
    builder.build().map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        TargetError::Regex(last.strip_prefix("error: ").unwrap_or(last).to_owned())
    })
}
