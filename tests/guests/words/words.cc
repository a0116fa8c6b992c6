// Contract: `words` answers 200 text/plain with how often each word of the body occurs, the most frequent
// first and those of one frequency by their bytes: a line "<count in six columns>  <word>" each.
//
// A word is a run of ASCII letters, digits, apostrophes and of anything beyond ASCII; letters of ASCII count
// as small ones. The query `top=N` leaves it at N lines. A body without words, and an N that is no number or
// 0, are answered 400 with the reason; a body that cannot be read, 500.
//
// C++ with its standard library and without exceptions, which no WebAssembly of today's zig has.

#include "taubyte.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Counts = std::map<std::string, unsigned, std::less<>>;

std::optional<std::string> body_of(unsigned event) {
    std::string body;
    char chunk[4096];
    unsigned error;
    do {
        unsigned count = 0;
        error = readHttpEventBody(event, chunk, sizeof chunk, &count);
        if (error && error != END_OF_BODY) return {};
        body.append(chunk, count);
    } while (!error);
    return body;
}

// The query's `top`: absent, a number above 0, or neither.
struct Top {
    bool valid = true;
    std::size_t lines = SIZE_MAX;
};

Top top_of(unsigned event) {
    constexpr std::string_view key = "top";
    unsigned size = 0;
    if (getHttpEventQueryValueByNameSize(event, &size, key.data(), key.size()) || !size) return {};
    std::string text(size, '\0');
    getHttpEventQueryValueByName(event, key.data(), key.size(), text.data(), size);
    Top top;
    const auto [end, error] = std::from_chars(text.data(), text.data() + size, top.lines);
    top.valid = error == std::errc() && end == text.data() + size && top.lines > 0;
    return top;
}

bool is_of_word(unsigned char byte) {
    return byte >= 0x80 || byte == '\'' || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z');
}

Counts count(std::string text) {
    for (char &byte : text)
        if (byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
    Counts counts;
    for (auto begin = text.begin();;) {
        begin = std::find_if(begin, text.end(), is_of_word);
        if (begin == text.end()) return counts;
        const auto end = std::find_if_not(begin, text.end(), is_of_word);
        ++counts[std::string(begin, end)];
        begin = end;
    }
}

std::string table(const Counts &counts, std::size_t lines) {
    std::vector<std::pair<std::string_view, unsigned>> rows(counts.begin(), counts.end());
    std::stable_sort(rows.begin(), rows.end(), [](auto &a, auto &b) { return a.second > b.second; });
    rows.resize(std::min(rows.size(), lines));
    std::string text;
    for (const auto &[word, count] : rows) {
        const std::string number = std::to_string(count);
        text.append(6 - std::min<std::size_t>(6, number.size()), ' ').append(number);
        text.append("  ").append(word).append("\n");
    }
    return text;
}

unsigned answer(unsigned event, unsigned code, std::string_view text) {
    unsigned count;
    eventHttpHeaderAdd(event, STRING("content-type"), STRING("text/plain"));
    eventHttpRetCode(event, code);
    return eventHttpWrite(event, text.data(), text.size(), &count);
}

} // namespace

EXPORT(words)(unsigned event) {
    const Top top = top_of(event);
    if (!top.valid) return answer(event, 400, "top is a number above 0\n");
    auto body = body_of(event);
    if (!body) return answer(event, 500, "the body cannot be read\n");
    const Counts counts = count(std::move(*body));
    if (counts.empty()) return answer(event, 400, "there are no words\n");
    return answer(event, 200, table(counts, top.lines));
}
