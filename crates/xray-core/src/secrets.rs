//! Which names stand for values that nobody should see.

/// Words of a name that make its value a secret.
const WORDS: [&str; 32] = [
    "apikey",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "card",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "csrf",
    "csrftoken",
    "cvc",
    "cvv",
    "iban",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pin",
    "private",
    "pwd",
    "secret",
    "secrets",
    "session",
    "sessionid",
    "signature",
    "ssn",
    "token",
];

/// Words that make a `key` a secret: `api_key`, `accessKey`.
const KEYS: [&str; 7] = ["access", "api", "encryption", "license", "master", "signing", "ssh"];

/// Whether the name of a parameter or key says that its value is a secret: by whole words, so `author` is none.
pub fn is_secret_name(name: &str) -> bool {
    let mut before = String::new();
    for word in words(name) {
        let singular = word.strip_suffix('s').unwrap_or(&word);
        if WORDS.contains(&word.as_str()) || WORDS.contains(&singular) {
            return true;
        }
        if singular == "key" && KEYS.contains(&before.as_str()) {
            return true;
        }
        before = word;
    }
    false
}

/// `userPassword2_hash`, `HTTPToken` as words in lower case: `user`, `password`, `hash`; `http`, `token`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let lower = |at: usize| letters.get(at).is_some_and(|letter| letter.is_lowercase());
        let begins = letter.is_uppercase() && at > 0 && (lower(at - 1) || lower(at + 1));
        if !letter.is_alphabetic() || begins {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_in_any_spelling() {
        for name in [
            "password",
            "user_password",
            "userPassword2",
            "HTTPToken",
            "api_key",
            "apiKeys",
            "X-API-Key",
            "auth",
            "csrfmiddlewaretoken_token",
            "SESSION_COOKIE",
            "access_tokens",
            "pwd1",
            "client-secret",
            "private_key",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_it() {
        for name in ["author", "key", "sort_key", "tag", "pinned", "tokenizer", "authored", "keys", "discard", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
