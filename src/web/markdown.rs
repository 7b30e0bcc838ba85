//! Text of people as HTML: the subset of Markdown that messages have (P6.5).
//!
//! Duty: emphasis, code, quotes, lists, links and line breaks; everything else as it was typed. Never: HTML of others (it is
//! shown as text), a picture (it would tell its server who reads), a link that is not http, https or mailto.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Renders a message. Whom it names by `@name` stands out, outside of code and links.
pub(super) fn render(text: &str, names: &[String]) -> String {
    let (mut events, mut literal, mut hidden) = (Vec::new(), 0_u32, 0_u32);
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        match &event {
            Event::Start(Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. }) => literal += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image) => {
                literal = literal.saturating_sub(1)
            }
            Event::Start(Tag::MetadataBlock(_)) => hidden += 1,
            Event::End(TagEnd::MetadataBlock(_)) => hidden = hidden.saturating_sub(1),
            _ => {}
        }
        match event {
            _ if hidden > 0 => {}
            Event::End(TagEnd::MetadataBlock(_)) => {}
            Event::Text(text) if literal == 0 => mentions(text, names, &mut events),
            event => events.push(tame(event)),
        }
    }
    let mut shown = String::new();
    html::push_html(&mut shown, events.into_iter());
    shown
}

/// What is left of what Markdown can say.
fn tame(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::SoftBreak => Event::HardBreak,
        Event::Start(
            Tag::Image { dest_url, title, id, link_type } | Tag::Link { link_type, dest_url, title, id },
        ) => Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        // A heading in a message would be one of the page.
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Strong),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Strong),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        event => event,
    }
}

fn mentions<'a>(text: CowStr<'a>, names: &[String], events: &mut Vec<Event<'a>>) {
    let found = |rest: &str| {
        let named = names.iter().filter(|name| !name.is_empty());
        let at = named.filter_map(|name| Some((rest.find(&format!("@{name}"))?, name.len() + 1)));
        at.min_by_key(|(at, length)| (*at, usize::MAX - length))
    };
    if found(&text).is_none() {
        return events.push(Event::Text(text));
    }
    let mut rest = text.as_ref();
    while let Some((at, length)) = found(rest) {
        let (before, after) = rest.split_at(at);
        let (name, after) = after.split_at(length);
        events.push(Event::Text(before.to_owned().into()));
        let mark = format!("<span class=\"mention\">{}</span>", escape(name));
        events.push(Event::InlineHtml(mark.into()));
        rest = after;
    }
    events.push(Event::Text(rest.to_owned().into()));
}

fn safe(link: CowStr<'_>) -> CowStr<'_> {
    let lower = link.trim().to_ascii_lowercase();
    let allowed = ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    if allowed { link } else { "#".into() }
}

/// Text inside HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        render(text, &[])
    }

    #[test]
    fn the_subset_is_rendered() {
        assert_eq!(shown("**a** _b_ `c`"), "<p><strong>a</strong> <em>b</em> <code>c</code></p>\n");
        assert_eq!(shown("a\nb"), "<p>a<br />\nb</p>\n");
        assert!(shown("- a\n- b").starts_with("<ul>"));
        assert_eq!(shown("[x](https://x.example)"), "<p><a href=\"https://x.example\">x</a></p>\n");
    }

    #[test]
    fn whom_it_names_stands_out_and_breaks_nothing() {
        let names = ["Ann".to_owned(), "Ann <b>".to_owned(), "Änna".to_owned(), String::new()];
        let mark = "<span class=\"mention\">";
        assert_eq!(render("hi @Änna!", &names), format!("<p>hi {mark}@Änna</span>!</p>\n"));
        let longest = render("@Ann &lt;b>", &names);
        assert_eq!(longest, format!("<p>{mark}@Ann</span> &lt;b&gt;</p>\n"));
        for literal in ["`@Ann`", "[@Ann](https://x.example)", "[x](https://x.example \"@Ann\")"] {
            assert!(!render(literal, &names).contains("mention"), "{literal}");
        }
    }

    #[test]
    fn nothing_of_a_stranger_becomes_markup_or_a_request() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<iframe src=\"https://x.example\">",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,x)",
            "[x]( vbscript:x)",
            "![x](https://x.example/pixel.png)",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](https://x.example \"a\\\" onmouseover=\\\"alert(1)\")",
            "<style>body{display:none}</style>",
            "```\n</code></pre><script>x</script>\n```",
            "<javascript:alert(1)>",
        ] {
            let html = shown(text);
            let tags: Vec<_> = html.split('<').skip(1).map(|part| part.split('>').next().unwrap()).collect();
            for bad in
                ["script", "img", "iframe", "style", "href=\"javascript", "href=\"data", "href=\"vbscript"]
            {
                let found = tags.iter().any(|tag| {
                    let tag = tag.to_ascii_lowercase();
                    tag.starts_with(bad) || bad.contains('=') && tag.contains(bad)
                });
                assert!(!found, "{text}: {html}");
            }
            // Attributes begin with a space and end in quotes: none but these.
            for tag in tags {
                let known = ["href=", "title=", "start=", "class=\"language-"];
                let attributes = tag.matches("=\"").count();
                let allowed: usize = known.iter().map(|known| tag.matches(known).count()).sum();
                assert!(attributes <= allowed, "{text}: {html}");
            }
        }
    }
}
