//! Contract: `form` answers a posted HTML form as JSON, written with Taubyte's own crate.
//!
//! An `application/x-www-form-urlencoded` body becomes 200 `application/json`: an object whose members are in
//! the order of the names; a name that occurs once has a string, more often an array of them. With the query
//! `pick=<name>` it is that member alone.
//!
//! Refused with {"error":…}: 415 another content-type, 400 a body that is not UTF-8 or empty, 404 a name that
//! is not in the form. A host call that fails is answered 500 with its error.

use std::{error::Error, io::Read, str};

use serde_json::{Map, Value, json};
use taubyte_sdk::{event::Event, http};

#[unsafe(no_mangle)]
pub extern "C" fn form(event: u32) -> u32 {
    let Ok(http) = (Event { event }).http() else { return 1 };
    let (code, value) = match converted(&http) {
        Ok(answer) => answer,
        Err(error) => (500, json!({"error": error.to_string()})),
    };
    u32::from(answer(&http, code, &value).is_err())
}

fn converted(http: &http::Event) -> Result<(u32, Value), Box<dyn Error>> {
    let refused = |code, reason: &str| Ok((code, json!({"error": reason})));
    let content_type = http.headers().get("content-type").unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return refused(415, "the body is no form");
    }
    let mut body = Vec::new();
    http.body().read_to_end(&mut body)?;
    let Ok(body) = str::from_utf8(&body) else {
        return refused(400, "the form is not UTF-8");
    };

    let members = members(body);
    let pick = http.queries().get("pick").unwrap_or_default();
    match members.get(&pick) {
        _ if members.is_empty() => refused(400, "the form is empty"),
        _ if pick.is_empty() => Ok((200, members.into())),
        Some(value) => Ok((200, value.clone())),
        None => refused(404, "the form has no such name"),
    }
}

fn members(form: &str) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        match members.get_mut(&*name) {
            None => {
                members.insert(name.into_owned(), Value::String(value.into_owned()));
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    members
}

fn answer(http: &http::Event, code: u32, value: &Value) -> Result<(), Box<dyn Error>> {
    http.headers().set("content-type", "application/json")?;
    http.write(value.to_string().as_bytes())?;
    http.return_code(code)?;
    Ok(())
}
