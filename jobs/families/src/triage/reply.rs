//! A draft of an answer, for a person to send: what was understood, what may help, and when somebody looks at it.

use super::kb::Found;

/// What is said about a category.
fn opening(category: &str) -> &'static str {
    match category {
        "billing" => "Thank you for your message about your bill. We are checking the amounts.",
        "refund" => {
            "Thank you for your message. We are looking into the refund that you asked for."
        }
        "login_security" => {
            "Thank you for telling us. We take access to your account seriously and are looking into it now."
        }
        "campaign_performance" => {
            "Thank you for your message. We are going through your campaign's figures."
        }
        "integration" => {
            "Thank you for your message about the integration. We are checking the connection."
        }
        "bug" => "Thank you for reporting this. We are trying to reproduce it.",
        "outage" => "We know that this keeps you from working. We are on it.",
        "how_to" => "Thank you for your question.",
        "feature_request" => "Thank you for the idea. We pass it on to those who plan the product.",
        "cancellation" => "Thank you for your message. We are sorry that you think of leaving.",
        _ => "Thank you for your message.",
    }
}

/// The draft.
pub(crate) fn draft(category: &str, articles: &[Found], first_response_minutes: u32) -> String {
    let mut lines = vec![
        "Hello,".to_owned(),
        String::new(),
        opening(category).to_owned(),
    ];
    if !articles.is_empty() {
        lines.push("Until then, this may help:".to_owned());
        lines.extend(
            articles
                .iter()
                .map(|article| format!("- {}", article.title)),
        );
    }
    let hours = first_response_minutes.div_ceil(60);
    let unit = if hours == 1 { "hour" } else { "hours" };
    lines.push(format!("You hear from us within {hours} business {unit}."));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_draft_names_what_may_help_and_when() {
        let article = Found {
            id: Uuid::nil(),
            title: "Add a user".into(),
            score: 1.0,
        };
        let text = draft("how_to", &[article], 960);
        assert_eq!(
            text,
            "Hello,\n\nThank you for your question.\nUntil then, this may help:\n- Add a user\nYou hear from us within 16 business hours."
        );
        assert!(draft("x", &[], 60).ends_with("within 1 business hour."));
    }
}
