//! Text as the application gives it: never a reason for an exception.

use pyo3::prelude::*;
use pyo3::types::PyString;
use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Deref;

/// A string argument. What is not valid Unicode (lone surrogates of an undecodable name) becomes replacement
/// characters; what is no string is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = Infallible;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Infallible> {
        if let Ok(text) = <&'a str>::extract(object) {
            return Ok(Self(Cow::Borrowed(text)));
        }
        let text = object.cast::<PyString>().map(|text| text.to_string_lossy().into_owned());
        Ok(Self(Cow::Owned(text.unwrap_or_default())))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
