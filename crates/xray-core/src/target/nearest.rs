//! "Did you mean": the known names nearest to one that is not known.

use super::{KnownTransaction, method};
use crate::limits::NEAREST_NAMES;
use crate::model::Target;
use std::collections::BTreeSet;

/// Characters of a name that are compared: bounds the time.
const COMPARED_CHARS: usize = 96;

/// Indexes of the nearest known names, best first; of names that look the same only one.
pub(super) fn nearest(target: &Target, known: &[KnownTransaction]) -> Vec<usize> {
    let (_, asked) = method::split(&target.canonical);
    let mut scored: Vec<(f64, usize)> = known.iter().enumerate().map(|(i, k)| (score(asked, k), i)).collect();
    scored.sort_by(|(a, i), (b, j)| {
        let (i, j) = (&known[*i], &known[*j]);
        b.total_cmp(a)
            .then_with(|| j.per_minute.total_cmp(&i.per_minute))
            .then_with(|| i.name.display().cmp(j.name.display()))
    });
    let mut shown = BTreeSet::new();
    let distinct = scored.into_iter().map(|(_, i)| i).filter(|&i| shown.insert(known[i].name.display()));
    distinct.take(NEAREST_NAMES).collect()
}

fn score(asked: &str, known: &KnownTransaction) -> f64 {
    let name = &known.name;
    let forms = [Some(name.canonical()), name.canonical_handler(), name.url_name()];
    forms.into_iter().flatten().map(|form| similarity(asked, form)).fold(0.0, f64::max)
}

/// Larger is nearer. Mistakes that people make stand above mere likeness.
fn similarity(asked: &str, form: &str) -> f64 {
    let bare = |text: &str| text.trim_matches('/').to_lowercase();
    let mistake = if asked == form {
        3.0 // known, but not with that method
    } else if bare(asked) == bare(form) {
        2.0 // slash or case
    } else if same_shape(asked, form) {
        1.0 // a concrete path of a route
    } else {
        0.0
    };
    mistake + 0.6 * edit_likeness(asked, form) + 0.4 * shared_words(asked, form)
}

/// Whether a path has the segments of a route, any text for a parameter.
fn same_shape(path: &str, route: &str) -> bool {
    let split = |text: &str| text.trim_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    let (path, route) = (split(path), split(route));
    route.iter().any(|s| s == "{}")
        && route.iter().any(|s| s != "{}")
        && path.len() == route.len()
        && path.iter().zip(&route).all(|(p, r)| r == "{}" || p == r)
}

/// 1 minus the edit distance over the longer length.
fn edit_likeness(a: &str, b: &str) -> f64 {
    let chars = |text: &str| text.chars().take(COMPARED_CHARS).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (chars(a), chars(b));
    let longer = a.len().max(b.len());
    if longer == 0 {
        return 1.0;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    1.0 - row[b.len()] as f64 / longer as f64
}

/// Words in common over words in both.
fn shared_words(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (a, b) = (words(a), words(b));
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { a.intersection(&b).count() as f64 / all as f64 }
}
