//! Where an endpoint is, and the HTTP client for it: TLS, proxies, redirects, the key.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Url};

use super::causes;
use crate::error::OpenError;
use crate::settings::{EndpointSettings, Key};

/// The address of `/chat/completions` below a base URL.
pub(super) fn address(base: &str) -> Result<Url, OpenError> {
    let wrong = |message: String| OpenError::Url { url: base.to_owned(), message };
    let mut url = Url::parse(base)
        .map_err(|error| wrong(format!("{error}; write it as in https://api.openai.com/v1")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("wants http:// or https://".to_owned()));
    }
    if url.username() != "" || url.password().is_some() || url.query().is_some() {
        // It is not repeated, since it may hold a key.
        return Err(OpenError::Url {
            url: format!("{}://…", url.scheme()),
            message: "holds a user, a password or a query; keys come from the environment alone, \
                      name the variable with `key_env`"
                .to_owned(),
        });
    }
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(["chat", "completions"]),
        Err(()) => return Err(wrong("has no path".to_owned())),
    };
    Ok(url)
}

/// The HTTP client for an address.
pub(super) fn client(url: &Url, settings: &EndpointSettings) -> Result<Client, OpenError> {
    let failed = |error: &dyn std::error::Error| OpenError::Client { message: causes(error) };
    // One provider for the whole process; that another was there first is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("omni-host/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.timeout)
        // A redirect would carry question and key to a place that nobody named.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(settings.concurrency);
    if url.scheme() == "http" {
        // Without TLS there is no need of the system's certificates.
        let nothing = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(nothing);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if let Some(key) = &settings.key {
        builder = builder.default_headers(authorization(key)?);
    }
    builder.build().map_err(|error| failed(&error))
}

fn authorization(key: &Key) -> Result<HeaderMap, OpenError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| OpenError::Key)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// Whether an address is this machine's own, where no proxy can help.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_whatever_base_there_is() {
        for (base, whole) in [
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"),
            ("https://host/api/v1/", "https://host/api/v1/chat/completions"),
            ("http://host", "http://host/chat/completions"),
        ] {
            assert_eq!(address(base).unwrap().as_str(), whole);
        }
    }

    #[test]
    fn an_address_that_may_hold_a_key_is_refused_and_not_repeated() {
        for base in ["http://me:s3cret@host/v1", "http://host/v1?key=s3cret"] {
            let message = address(base).unwrap_err().to_string();
            assert!(message.contains("key_env") && !message.contains("s3cret"), "{message}");
        }
        for base in ["host:80/v1", "ftp://host/v1", "nonsense", ""] {
            assert!(matches!(address(base), Err(OpenError::Url { .. })), "{base}");
        }
    }

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        let loopback = |text: &str| is_loopback(&Url::parse(text).unwrap());
        for text in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8", "http://localhost"]
        {
            assert!(loopback(text), "{text}");
        }
        for text in ["http://10.0.0.1", "http://127.0.0.1.example.org", "http://localhost.org"] {
            assert!(!loopback(text), "{text}");
        }
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_an_error_without_the_key() {
        let mut settings = EndpointSettings::new("http://127.0.0.1:1", "m");
        settings.key = Some(Key::new("s3cr\net"));
        let url = address(&settings.url).unwrap();
        let error = client(&url, &settings).unwrap_err();
        assert!(matches!(error, OpenError::Key));
        assert!(!format!("{error}{error:?}{settings:?}").contains("s3cr"));
    }
}
