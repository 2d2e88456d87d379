using System.Text;
using System.Text.Json.Nodes;

namespace NetAutomation.Tests.Web;

/// <summary>Values that have broken services before. JSON values are texts, because a JSON writer would refuse them.</summary>
internal static class Hostile
{
    public static readonly string[] Json =
    [
        "null", "true", "0", "-1", "1", "1.5", "-0", "1e400", "99999999999999999999", "-9223372036854775809", "2147483648", "\"\"", "\" \"",
        "\"\\u0000\"", "\"a\\u0000b\"",
        "\"\\ud800\"", "\"x\\udc00y\"", "\"\\u202e\\u2066\"", "\"\\u0007\\u001b[31m\"", "\"\\r\\nX: y\"", "\"'; drop table x; --\"",
        "\"{{ 7*7 }}\"", "\"../../etc/passwd\"", "\"\U0001F980\"",
        "\"0001-01-01T00:00:00+14:00\"", "\"9999-12-31T23:59:59.999-14:00\"", "\"2100-02-30T00:00:00Z\"",
        "\"dev_zzzzzzzzzzzzzzzzzzzzzzzzzz\"", "\"1e9\"", "\"-1\"", "\"0.0000001\"",
        "\"99999999999999999999999999\"", "[]", "[[]]", "[null]", "{}", "{\"\":\"\"}", "{\"a\":1,\"a\":2}", "{\"\\u0000\":\"v\"}",
        "{\"k\":\"\\u0000\"}", "{\"\\ud800\":\"v\"}", "{\"k\":\"\\ud800\"}", "{\"k\":null}",
        $"\"{new string('a', 5000)}\"", string.Concat(Enumerable.Repeat("[", 40)) + string.Concat(Enumerable.Repeat("]", 40)),
        string.Concat(Enumerable.Repeat("{\"a\":", 31)) + "1" + new string('}', 31),
        "[" + string.Join(',', Enumerable.Repeat("\"dev_00000000000000000000000001\"", 300)) + "]",
        "{" + string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"k{i}\":\"v\"")) + "}", "\"\uFEFFx\"", "\"\uFFFE\"", "\"e\u0301\"",
        "{\"amount\":\"9223372036854.775808\",\"currency\":\"USD\"}",
        "{\"amount\":\"-1\",\"currency\":\"USD\"}", "{\"amount\":\"1\",\"amount\":\"2\",\"currency\":\"USD\"}",
        "{\"amount\":\"\\ud800\",\"currency\":\"USD\"}", "{\"amount\":\"1\",\"currency\":\"\\u0000\"}", "{\"all\":true,\"selector\":\"a\"}",
        "{\"selector\":\"a in (\"}", "{\"selector\":\"\\u0000\"}", "{\"deviceIds\":[]}", "{\"deviceIds\":[null]}",
        "{\"routes\":[{\"prefix\":\"\\ud800\",\"nextHop\":\"\\u0000\"}]}", "{\"routes\":[{\"prefix\":1e999,\"nextHop\":1}]}",
    ];

    /// <summary>Bodies that are not JSON, or not a JSON object.</summary>
    public static readonly byte[][] Bodies =
    [
        [], " "u8.ToArray(), "{"u8.ToArray(), "{\"a\""u8.ToArray(), "null"u8.ToArray(), "[]"u8.ToArray(), "\"x\""u8.ToArray(),
        "1"u8.ToArray(), "{}{}"u8.ToArray(), "{} x"u8.ToArray(), "{a:1}"u8.ToArray(),
        "{'a':1}"u8.ToArray(), "{\"a\":1,}"u8.ToArray(), "/* x */{}"u8.ToArray(), "NaN"u8.ToArray(), [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00],
        [0x7B, 0x22, 0xC0, 0x80, 0x22, 0x3A, 0x31, 0x7D], [0x7B, 0x22, 0xED, 0xA0, 0x80, 0x22, 0x3A, 0x31, 0x7D],
        [0x00], [0x1F, 0x8B, 0x08, 0x00], Encoding.UTF8.GetBytes(new string('[', 5000)), Encoding.UTF8.GetBytes("{\"\u202e\":1"),
    ];

    public static readonly string[] Csv =
    [
        "", "name", "name\n", "\n\n", "name,name\na,b", "nam\u0065,x\na,b", "name,site\n\"", "name,site\na", "name\n\u202e",
        "name,port\na,99999999999", "name,labels\na,=;=;", "name,address\na,\ud83e\udd80",
        "name,site,address,credential\n" + new string('x', 5000) + ",ams,10.0.0.1,netops",
        "\uFEFFname,site,address,credential\nr900,ams,10.88.0.1,netops", "name;site\na;b", "name\r\n'; drop table x; --", "name\na\0b",
        "name,site,address,credential,enabled\nr901,ams,10.88.0.2,netops,maybe",
        "name,site,address,credential\nr001,nowhere,127.0.0.1,none", "name,site,address,port,credential\nr902,ams,10.66.0.2,22,netops",
        ",\n,",
    ];

    public static readonly string[] Types =
    [
        "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "garbage", "application/",
        "text/csv; header=present", "application/jsonx",
    ];

    /// <summary>Encoded for the URL.</summary>
    public static readonly string[] Queries =
    [
        "", "abc", "-1", "0", "201", "99999999999", "1.5", "%FF", "%C0%80", "%ED%A0%80", "%E2%80%AE", "%07", "a%20b", "%27%3B--", "null",
        "true", "1&{0}=2", "%F0%9F%A6%80", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a%3Db%2C", "%28%28", "2026-01-01T00:00:00%2B02:00", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59Z", "%00",
        "dev_zzzzzzzzzzzzzzzzzzzzzzzzzz", "9223372036854775807", "-9223372036854775808",
    ];

    /// <summary>Encoded for the URL. Empty and dotted segments name other paths.</summary>
    public static readonly string[] PathIds =
    [
        "x", "dev_", "run_00000000000000000000000000", "dev_zzzzzzzzzzzzzzzzzzzzzzzzzz", "RUN_01K0C3M5X8P2V7Q4R9T6W1Y3ZA", "%20", "%FF",
        "%C0%80", "%ED%A0%80", "a%2Fb", "..%2F..%2Fetc", "%F0%9F%A6%80", "%E2%80%AE", "'--", "0", "-1",
        "99999999999999999999", "00000000-0000-0000-0000-000000000000", "%25", "%0d%0a", "*", "null", "run_0000000000000000000000000%C2%B2",
    ];

    public static readonly (string Name, string Value)[] Headers =
    [
        ("Idempotency-Key", "short"), ("Idempotency-Key", new string('k', 256)), ("Idempotency-Key", "sixteen-or-more-\u00e9"),
        ("Idempotency-Key", "sixteen-or-more-\t"), ("Idempotency-Key", " "),
        ("If-Match", "1"), ("If-Match", "\"0\""), ("If-Match", "W/\"1\""), ("If-Match", "\"99999999999999999999\""),
        ("If-Match", "\"1\", \"2\""), ("If-Match", "\""), ("If-Match", "*, \"1\""), ("If-None-Match", "\"x"),
        ("Last-Event-ID", "abc"), ("Last-Event-ID", "-1"), ("Last-Event-ID", "-9223372036854775808"),
        ("Last-Event-ID", "9223372036854775807"), ("Last-Event-ID", "99999999999999999999"), ("Last-Event-ID", "1,2"),
        ("Range", "bytes=0-"), ("Range", "bytes=5-1"), ("Range", "bytes=99999-"), ("Range", "bytes=99999999999999999999-"),
        ("Range", "items=0-1"), ("Range", "bytes=-0"), ("Range", "bytes=0-0,2-2"), ("Range", "bytes="),
        ("If-Modified-Since", "yesterday"), ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"), ("If-Range", "\"x\""),
        ("Accept", "text/event-stream"), ("Accept", "garbage"), ("Accept", "application/xml"), ("Accept", "*/*;q=nonsense"),
        ("Accept", ","), ("Accept-Encoding", "br;q=9"), ("Accept-Language", "\u202e"),
        ("Content-Encoding", "gzip"), ("X-HTTP-Method-Override", "DELETE"), ("X-Forwarded-For", "127.0.0.1"),
        ("X-Original-URL", "/operator/v1/tenants"), ("Prefer", "wait=99999"), ("traceparent", "00-zz-zz-zz"), ("Cookie", "x=y; ;;="),
        ("Origin", "null"),
        ("Authorization", ""), ("Authorization", "Bearer "), ("Authorization", "Basic eDp5"), ("Authorization", "Bearer nak_\u00e9"),
        ("Authorization", "Bearer " + new string('x', 4000)),
    ];

    /// <summary>A value of another type than the schema's; null if the schema allows any value.</summary>
    public static string? OtherType(JsonNode? valid, Random random) => valid switch
    {
        JsonObject => Pick(random, "\"x\"", "7", "[]", "true"),
        JsonArray => Pick(random, "\"x\"", "7", "{}", "true"),
        JsonValue value => value.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.String => Pick(random, "7", "{}", "[]", "true", "1.5"),
            System.Text.Json.JsonValueKind.Number => Pick(random, "\"7\"", "{}", "[]", "true", "1.5", "99999999999"),
            _ => Pick(random, "\"yes\"", "{}", "[]", "1"),
        },
        _ => null,
    };

    public static T Pick<T>(Random random, params T[] from) => from[random.Next(from.Length)];
}
