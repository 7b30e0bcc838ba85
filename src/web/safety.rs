//! What holds for every page: headers, and no request that changes something from another site.
//!
//! Duty: refusing cross-site requests before a handler runs; headers on whatever leaves. Never: a page without them.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// Nothing but this node's own files: no script or style inline, no frame, no form to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Around every page. What a handler does not say may be kept is not kept: foreign content stays nowhere (P7.3).
pub(super) async fn guard(request: Request, next: Next) -> Response {
    if !request.method().is_safe() && !is_own(&request) {
        let why = "this request came from another site: open the page here and try again";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a page of this node sent it. Browsers say so in `Sec-Fetch-Site` or, the older ones, in `Origin` (the method of
/// Go's `http.CrossOriginProtection`); who sends neither is no browser, and has no cookie that somebody else could use.
fn is_own(request: &Request) -> bool {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let of = origin.split_once("://").map(|(_, host)| host);
    of.is_some() && of == text(header::HOST)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_request_that_changes_something_comes_from_here() {
        let with = |headers: &[(&str, &str)]| {
            let mut request = Request::new(Body::empty());
            for (name, value) in headers {
                let name: HeaderName = name.parse().unwrap();
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            is_own(&request)
        };
        assert!(with(&[]), "a script");
        assert!(with(&[("sec-fetch-site", "same-origin"), ("origin", "https://elsewhere.example")]));
        assert!(!with(&[("sec-fetch-site", "same-site")]), "another host of the same domain");
        assert!(!with(&[("sec-fetch-site", "cross-site"), ("host", "a"), ("origin", "https://a")]));
        assert!(with(&[("host", "a.example"), ("origin", "https://a.example")]));
        for origin in ["https://b.example", "null", "https://a.example.b.example", ""] {
            assert!(!with(&[("host", "a.example"), ("origin", origin)]), "{origin}");
        }
    }
}
