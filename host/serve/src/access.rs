//! Who may ask: the bearer of the token, or, where there is none, programs of this machine.

use axum::http::{HeaderMap, StatusCode, header};

use crate::config::Token;
use crate::refusal::Refusal;

/// Refuses those who may not.
pub(crate) fn check(token: Option<&Token>, headers: &HeaderMap) -> Result<(), Refusal> {
    match token {
        Some(token) => bearer(token, headers),
        None => own_host(headers),
    }
}

fn bearer(token: &Token, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused =
        |message: &str| Err(Refusal::http(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return refused("a token is needed: send the header `Authorization: Bearer TOKEN`");
    };
    match value.as_bytes().split_at_checked(7) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case(b"bearer ") && token.is(given) => {
            Ok(())
        }
        _ => refused("the token is not this server's"),
    }
}

/// Without a token only this machine's programs are to be served. A web page in a browser here
/// reaches loopback too, if it makes its own host's name resolve to it; the name then betrays it.
fn own_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let own = bare.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if own {
        return Ok(());
    }
    let message = "a server without a token answers to loopback addresses and `localhost` alone";
    Err(Refusal::http(StatusCode::FORBIDDEN, "foreign_host", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_token_is_asked_for() {
        let token = Token::new("t0ken").unwrap();
        let allowed = |value| check(Some(&token), &with(header::AUTHORIZATION, value)).is_ok();
        assert!(allowed("Bearer t0ken") && allowed("bearer t0ken"));
        for wrong in ["t0ken", "Basic t0ken", "Bearer", "Bearer ", "Bearer t0ke", "Bearer t0ken "] {
            assert!(!allowed(wrong), "{wrong:?}");
        }
        assert!(check(Some(&token), &HeaderMap::new()).is_err());
    }

    #[test]
    fn foreign_names_are_refused() {
        let allowed = |host| check(None, &with(header::HOST, host)).is_ok();
        for own in ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "LocalHost", "[::1]:80", "[::1]"]
        {
            assert!(allowed(own), "{own}");
        }
        for foreign in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"] {
            assert!(!allowed(foreign), "{foreign}");
        }
    }
}
