//! The files of the app: one style sheet, one module, one more for the page that a token opens, one picture.
//!
//! Duty: what is compiled in, by a name that changes with the content, so that a browser keeps it for good. Never: a file
//! from the disk.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::path::Path;
use crate::crypto::sha256;

struct Asset {
    stem: &'static str,
    ending: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        stem: "app",
        ending: "css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/app.css"),
    },
    Asset {
        stem: "app",
        ending: "js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/app.js"),
    },
    Asset {
        stem: "enter",
        ending: "js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/enter.js"),
    },
    Asset { stem: "icon", ending: "svg", kind: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
];

/// Their names, in the same order.
static NAMES: LazyLock<[String; 4]> = LazyLock::new(|| {
    ASSETS.each_ref().map(|asset| {
        let hash = data_encoding::HEXLOWER.encode(&sha256(&[asset.bytes]).0);
        format!("{}-{}.{}", asset.stem, hash.get(..12).unwrap_or_default(), asset.ending)
    })
});

/// The path of the file with this name, which is without the hash.
pub(super) fn path(name: &str) -> String {
    let at = ASSETS.iter().position(|asset| name.split_once('.') == Some((asset.stem, asset.ending)));
    format!("/assets/{}", at.and_then(|at| NAMES.get(at)).map_or("", String::as_str))
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    let found = NAMES.iter().zip(&ASSETS).find(|(held, _)| **held == name);
    let Some((_, asset)) = found else {
        return std::future::ready(StatusCode::NOT_FOUND.into_response()).await;
    };
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
