//! Just enough JSON to answer with: an object of strings, nulls and arrays of strings.

pub struct Object(String);

impl Object {
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    pub fn entry(mut self, name: &str, value: impl Value) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        name.write(&mut self.0);
        self.0.push(':');
        value.write(&mut self.0);
        self
    }

    pub fn finish(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

pub trait Value {
    fn write(&self, json: &mut String);
}

impl Value for &str {
    fn write(&self, json: &mut String) {
        json.push('"');
        for character in self.chars() {
            match character {
                '"' | '\\' => json.extend(['\\', character]),
                '\0'..' ' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => json.push(character),
            }
        }
        json.push('"');
    }
}

impl Value for Option<&str> {
    fn write(&self, json: &mut String) {
        match self {
            Some(text) => text.write(json),
            None => json.push_str("null"),
        }
    }
}

impl Value for &[String] {
    fn write(&self, json: &mut String) {
        json.push('[');
        for (index, text) in self.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            text.as_str().write(json);
        }
        json.push(']');
    }
}
