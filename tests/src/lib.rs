//! End-to-end checks of the workspace. Everything is in `tests/`; the Python half is run by pytest.

pub mod source;
