using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

/// <summary>One operation of the served API document, and plausible requests for it.</summary>
internal sealed partial record ApiOperation(string Verb, string Path, JsonObject Value, JsonObject Schemas)
{
    private static int _names;

    public string Name => Value["operationId"]!.GetValue<string>();

    /// <summary>Names of the path's parameters, in order.</summary>
    public IReadOnlyList<string> PathParameters => [.. PathParameter().Matches(Path).Select(match => match.Groups["name"].Value)];

    public IReadOnlyList<string> QueryParameters =>
        [.. (Value["parameters"]?.AsArray() ?? []).Where(each => each!["in"]!.GetValue<string>() == "query")
            .Select(each => each!["name"]!.GetValue<string>())];

    public string? MediaType => Value["requestBody"]?["content"]!.AsObject().Single().Key;

    public JsonObject? BodySchema => Value["requestBody"]?["content"]!["application/json"]?["schema"] is { } schema
        ? Resolve(schema) : null;

    public IReadOnlySet<int> Statuses => Value["responses"]!.AsObject().Select(each => int.Parse(each.Key)).ToHashSet();

    public static async Task<IReadOnlyList<ApiOperation>> All(HttpClient client)
    {
        var document = JsonNode.Parse(await client.GetStringAsync("/openapi/v1.json"))!;
        var schemas = document["components"]!["schemas"]!.AsObject();
        return [.. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(
            verb => new ApiOperation(verb.Key.ToUpperInvariant(), path.Key, verb.Value!.AsObject(), schemas)))];
    }

    /// <summary>The path with its parameters replaced by these values.</summary>
    public string At(Func<string, string> value) => PathParameter().Replace(Path, match => value(match.Groups["name"].Value));

    /// <summary>A body that fits the schema, with the required members and those that <paramref name="wanted"/> picks.</summary>
    /// <param name="id">Returns an id for a prefix such as <c>dev_</c>.</param>
    public JsonObject? Body(Func<string, string> id, Func<string, bool> wanted) => BodySchema is { } schema
        ? Sample(schema, "", id, wanted)!.AsObject() : null;

    private JsonObject Resolve(JsonNode schema) =>
        schema["$ref"] is { } reference ? Schemas[reference.GetValue<string>().Split('/')[^1]]!.AsObject()
        : schema["oneOf"] is JsonArray any ? Resolve(any.First(each => each!["type"]?.ToString() != "null")!)
        : schema.AsObject();

    private JsonNode? Sample(JsonNode reference, string name, Func<string, string> id, Func<string, bool> wanted)
    {
        var schema = Resolve(reference);
        if (SampleValue(name) is { } sample)
        {
            return sample;
        }

        if (schema["enum"] is JsonArray choices)
        {
            return choices[0]!.DeepClone();
        }

        if (schema["pattern"]?.GetValue<string>() is { } pattern && pattern.StartsWith('^') && pattern.IndexOf('[') is > 1 and var end
            && pattern[1..end].EndsWith('_'))
        {
            return id(pattern[1..end]);
        }

        var type = schema["type"] is JsonArray types
            ? types.Select(each => each!.GetValue<string>()).First(each => each != "null") : schema["type"]?.GetValue<string>();
        return type switch
        {
            "object" when schema["properties"] is JsonObject members => new JsonObject(members
                .Where(member => wanted(member.Key)
                    || (schema["required"]?.AsArray().Any(each => each!.GetValue<string>() == member.Key) ?? false))
                .Select(member => KeyValuePair.Create(member.Key, Sample(member.Value!, member.Key, id, wanted)))),
            "object" => new JsonObject { ["k"] = "v" },
            "array" => new JsonArray(Sample(schema["items"]!, "", id, wanted)),
            "integer" => 1,
            "boolean" => true,
            _ => schema["format"]?.GetValue<string>() == "date-time" ? "2100-01-01T00:00:00.000Z" : "text",
        };
    }

    /// <summary>Valid values that do not follow from the schema, so that requests pass the first check.</summary>
    private static JsonNode? SampleValue(string name) => name switch
    {
        "name" => $"name-{Interlocked.Increment(ref _names)}",
        "block" => "static-routes",
        "version" => "1",
        "platform" => "frr",
        "address" => $"10.77.{Interlocked.Increment(ref _names) / 250 % 250}.{(_names % 250) + 1}",
        "hostKeySha256" => "SHA256:" + new string('A', 42) + "E",
        "amount" => "5.25",
        "cron" => "0 1 * * *",
        "duration" => "PT1H",
        "timeZone" => "UTC",
        "timeoutSeconds" => 600,
        "targets" => new JsonObject { ["all"] = true },
        "input" => JsonNode.Parse("""{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}]}"""),
        "labels" => new JsonObject { ["role"] = "edge" },
        _ => null,
    };

    [GeneratedRegex(@"\{(?<name>\w+)\}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PathParameter();
}

/// <summary>Reads every table of a database as the owner, to find changes and texts.</summary>
internal sealed class DatabaseRows(TestDatabase database) : IAsyncDisposable
{
    private readonly Npgsql.NpgsqlDataSource _source = Npgsql.NpgsqlDataSource.Create(database.Owner);
    private IReadOnlyList<string> _tables = [];

    /// <summary>The rows of each table and the transactions that wrote them, so that an update shows too.</summary>
    public async Task<IReadOnlyDictionary<string, string>> Snapshot()
    {
        var union =
            string.Join(
                " union all ",
                (await Tables())
                    .Select(table => $"select '{table}', count(*) || ' ' || coalesce(sum(xmin::text::bigint), 0) from {table}"));
        // Its parts may run at the same time.
        return await Pairs($"{union} order by 1");
    }

    /// <summary>Tables with a row that contains the text, plain, in hexadecimal (bytea) or in base64.</summary>
    public async Task<IEnumerable<string>> Holding(string text)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        string[] forms =
            [text, Convert.ToHexStringLower(bytes),
                .. Enumerable.Range(0, 3).Select(skip => Convert.ToBase64String(bytes.AsSpan(skip, (bytes.Length - skip) / 3 * 3)))];
        var array = string.Join(", ", forms.Select(form => $"'%{form}%'"));
        var union =
            string.Join(
                " union all ",
                (await Tables())
                    .Select(table => $"select '{table}', count(*)::text from {table} t where t::text like any (array[{array}])"));
        return (await Pairs(union)).Where(pair => pair.Value != "0").Select(pair => pair.Key);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task<IReadOnlyList<string>> Tables()
    {
        if (_tables.Count == 0)
        {
            _tables = [.. (await Pairs(
                """
                select format('%I.%I', n.nspname, c.relname), '' from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')
                """)).Keys];
        }

        return _tables;
    }

    private async Task<Dictionary<string, string>> Pairs(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync())
        {
            pairs[reader.GetString(0)] = reader.GetString(1);
        }

        return pairs;
    }
}
