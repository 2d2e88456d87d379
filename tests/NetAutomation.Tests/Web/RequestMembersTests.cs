using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

/// <summary>Finds members of requests that the service accepts with 200 but ignores.</summary>
public sealed class RequestMembersTests(PostgresServer postgres)
{
    private const string Key1 = """-----BEGIN OPENSSH PRIVATE KEY-----\nb25l\n-----END OPENSSH PRIVATE KEY-----\n""";
    private const string Key2 = """-----BEGIN OPENSSH PRIVATE KEY-----\ndHdv\n-----END OPENSSH PRIVATE KEY-----\n""";
    private const string WithKey = $$"""{"kind":"ssh_key","password":null,"privateKey":"{{Key1}}"}""";
    private const string WithEnable = """{"kind":"enable","enablePassword":"e"}""";

    /// <summary>Change requests that other tests cover.</summary>
    private static readonly Dictionary<string, string> _elsewhere = new(StringComparer.Ordinal)
    {
        ["ChangeEntitlementRequest"] = "one required member, of a rental: RentalTests",
        ["PatchAgreementRequest"] = "one required member, for operators: ContractTests",
    };

    [Fact]
    public async Task Every_member_of_a_create_or_change_request_shows_afterwards()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 1);
        var (site, other) =
            (await Id(fixture, "/v1/sites", """{"name":"site-1"}"""), await Id(fixture, "/v1/sites", """{"name":"site-2"}"""));
        var (login, login2) = (await Login(fixture, "login-1"), await Login(fixture, "login-2"));
        Resource[] resources =
        [
            new("/v1/sites", "SiteRequest", "SiteRequest", """{"name":"base"}""", new() { ["name"] = SampleOf("\"one\"", "\"two\"") }),
            new("/v1/members", "CreateMemberRequest", "ChangeMemberRequest", """{"name":"base","role":"viewer"}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["role"] = SampleOf("\"operator\"", "\"admin\""),
                ["state"] = SampleOf("\"disabled\"", "\"active\""),
            }),
            new("/v1/credentials", "CreateCredentialRequest", "ChangeCredentialRequest",
                """{"name":"base","username":"u","kind":"password","password":"p"}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["username"] = SampleOf("\"one\"", "\"two\""),
                ["kind"] = new("""{"kind":"password"}""", WithEnable),
                ["password"] = new("""{"password":"one"}""", """{"password":"two"}""") { ShownAs = "fingerprint" },
                ["privateKey"] =
                    new($$"""{"privateKey":"{{Key1}}"}""", $$"""{"privateKey":"{{Key2}}"}""") { ShownAs = "fingerprint", Base = WithKey },
                ["passphrase"] =
                    new($$"""{"privateKey":"{{Key1}}","passphrase":"one"}""", $$"""{"privateKey":"{{Key1}}","passphrase":"two"}""") {
                        ShownAs = "fingerprint", Base = WithKey },
                ["enablePassword"] =
                    new("""{"password":"p","enablePassword":"one"}""", """{"password":"p","enablePassword":"two"}""") {
                        ShownAs = "fingerprint", Base = WithEnable },
                ["answers"] =
                    new(
                        """{"password":"p","answers":[{"pattern":"a","answer":"one"}]}""",
                        """{"password":"p","answers":[{"pattern":"a","answer":"two"}]}""") { ShownAs = "fingerprint" },
                ["enableLevel"] = new("""{"enableLevel":2}""", """{"enableLevel":7}""") { Base = WithEnable },
            }),
            new("/v1/devices", "CreateDeviceRequest", "ChangeDeviceRequest",
                $$"""{"name":"base","siteId":"{{site}}","address":"10.1.0.1","platform":"frr","credentialId":"{{login}}"}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["siteId"] = SampleOf($"\"{site}\"", $"\"{other}\""),
                ["address"] = SampleOf("\"10.1.0.2\"", "\"10.1.0.3\""),
                ["port"] = SampleOf("1022", "2022"),
                ["platform"] = new("""{"platform":"frr"}""", """{"platform":"none"}""") { Refused = "unknown_platform" },
                ["credentialId"] = SampleOf($"\"{login}\"", $"\"{login2}\""),
                ["hostKeySha256"] = SampleOf($"\"SHA256:{new string('A', 43)}\"", $"\"SHA256:{new string('B', 43)}\""),
                ["labels"] = SampleOf("""{"a":"1"}""", """{"a":"2","b":"3"}"""),
                ["enabled"] = SampleOf("false", "true"),
                ["connectionOptions"] =
                    SampleOf("""{"connectSeconds":40,"firstQuestion":"y/n","firstAnswer":""}""", """{"prompt":"^a#$"}"""),
            }),
            new("/v1/windows", "WindowRequest", "ChangeWindowRequest",
                """{"name":"base","kind":"allow","duration":"PT2H","timeZone":"UTC","cron":"0 3 * * *"}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["kind"] = SampleOf("\"deny\"", "\"allow\""),
                ["duration"] = SampleOf("\"PT1H\"", "\"P1D\""),
                ["timeZone"] = SampleOf("\"Europe/Berlin\"", "\"Asia/Tokyo\""),
                ["cron"] = SampleOf("\"0 1 * * *\"", "\"0 2 * * *\""),
                ["rrule"] = new("""{"rrule":"FREQ=DAILY;BYHOUR=1","cron":null}""", """{"rrule":"FREQ=DAILY;BYHOUR=2","cron":null}"""),
                ["selector"] = SampleOf("\"role=edge\"", "\"role=core\""),
            }),
            new("/v1/schedules", "ScheduleRequest", "ChangeScheduleRequest",
                $$"""{"name":"base","timeZone":"UTC","cron":"0 3 * * *","run":{{Run("10.9.0.0/16")}}}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["timeZone"] = SampleOf("\"Europe/Berlin\"", "\"Asia/Tokyo\""),
                ["run"] = SampleOf(Run("10.7.0.0/16"), Run("10.8.0.0/16")),
                ["cron"] = SampleOf("\"0 1 * * *\"", "\"0 2 * * *\""),
                ["rrule"] = new("""{"rrule":"FREQ=DAILY;BYHOUR=1","cron":null}""", """{"rrule":"FREQ=DAILY;BYHOUR=2","cron":null}"""),
                ["misfire"] = SampleOf("\"once\"", "\"skip\""),
                ["overlap"] = SampleOf("\"queue\"", "\"skip\""),
                ["enabled"] = SampleOf("false", "true"),
            }),
            new("/v1/connectors", "CreateConnectorRequest", null, $$"""{"name":"base","siteId":"{{site}}"}""", new()
            {
                ["name"] = SampleOf("\"one\"", "\"two\""),
                ["siteId"] = SampleOf($"\"{site}\"", $"\"{other}\""),
            }),
        ];
        var changes = typeof(Service).Assembly.GetTypes().Select(type => type.Name)
            .Where(name => name.EndsWith("Request", StringComparison.Ordinal)
            && (name.StartsWith("Change", StringComparison.Ordinal) || name.StartsWith("Patch", StringComparison.Ordinal)));
        changes.Except(resources.Select(each => each.Change)).Except(_elsewhere.Keys).ShouldBeEmpty("give the request a resource above");

        var faults = new List<string>();
        foreach (var resource in resources)
        {
            foreach (var member in Members(resource.Create))
            {
                faults.AddRange(await TryMember(fixture, resource, member, patch: false));
            }

            foreach (var member in Members(resource.Change))
            {
                faults.AddRange(await TryMember(fixture, resource, member, patch: true));
            }
        }

        faults.ShouldBeEmpty();
    }

    /// <summary>Sends the two values of a member one after the other; each must show in the answer, and the answers must differ.</summary>
    private static async Task<IReadOnlyList<string>> TryMember(RunFixture fixture, Resource resource, string member, bool patch)
    {
        var where = $"{(patch ? "PATCH" : "POST")} {resource.Path} {member}";
        if (!resource.Samples.TryGetValue(member, out var sample))
        {
            return [$"{where}: give it two values"];
        }

        var start = Merge(Object(resource.Base), Object(sample.Base));
        var id = patch ? await Create(fixture, resource, start) : "";
        await using var cleanup = new Cleanup(() => patch ? Delete(fixture, resource, id) : Task.CompletedTask);
        var shown = new List<string>();
        foreach (var value in new[] { sample.One, sample.Other })
        {
            var (body, path) = (Object(value), $"{resource.Path}/{id}");
            var refused = sample.Refused is not null && value == sample.Other;
            var answer = patch
                ? await fixture.Client.Call("PATCH", path, WithoutNulls(body), "*")
                : await fixture.Client.Call("POST", resource.Path, Merge(start, body));
            if (refused)
            {
                return answer.Status == HttpStatusCode.UnprocessableEntity && answer.Faults.SequenceEqual([$"/{member} {sample.Refused}"])
                    ? [] : [$"{where}: {answer.Text}"];
            }

            if ((int)answer.Status is not (200 or 201))
            {
                return [$"{where}: {answer.Text}"];
            }

            var read = (JsonObject)(await RunFixture.Get(fixture.Client, patch ? path : $"{resource.Path}/{answer.Id}"));
            var actual = read[sample.ShownAs ?? member];
            if (sample.ShownAs is null && !Holds(actual, body[member]))
            {
                return [$"{where}: {body[member]?.ToJsonString()} shows as {actual?.ToJsonString()}"];
            }

            shown.Add($"{actual?.ToJsonString()}");
            if (!patch)
            {
                await Delete(fixture, resource, answer.Id);
            }
        }

        return shown.Distinct(StringComparer.Ordinal).Count() == 2 ? [] : [$"{where}: both values show as {shown[0]}"];
    }

    private static async Task Delete(RunFixture fixture, Resource resource, string id) =>
        (await fixture.Client.Call("DELETE", $"{resource.Path}/{id}", null, "*")).Must(HttpStatusCode.NoContent);

    private static async Task<string> Create(RunFixture fixture, Resource resource, JsonObject body) =>
        (await fixture.Client.Call("POST", resource.Path, body)).Must(HttpStatusCode.Created).Id;

    private static async Task<string> Id(RunFixture fixture, string path, string body) =>
        (await fixture.Post(fixture.Client, path, Object(body)))["id"]!.GetValue<string>();

    private static Task<string> Login(RunFixture fixture, string name) =>
        Id(fixture, "/v1/credentials", $$"""{"name":"{{name}}","username":"u","kind":"password","password":"p"}""");

    private static string Run(string prefix) =>
        $$$"""
        {
          "block":"static-routes","mode":"apply","targets":{"all":true},
          "input":{"routes":[{"prefix":"{{{prefix}}}","nextHop":"10.66.0.1"}]}
        }
        """;

    private static IEnumerable<string> Members(string? type) => type is null
        ? [] : typeof(Service).Assembly.GetTypes().Single(each => each.Name == type && each.IsPublic)
        .GetProperties().Select(each => JsonNamingPolicy.CamelCase.ConvertName(each.Name));

    private static Sample SampleOf(string one, string other) => new(one, other) { Bare = true };

    private static JsonObject Object(string text) => JsonNode.Parse(text)!.AsObject();

    private static JsonObject Merge(JsonObject start, JsonObject more)
    {
        var all = start.DeepClone().AsObject();
        foreach (var (name, value) in more)
        {
            all[name] = value?.DeepClone();
        }

        return WithoutNulls(all);
    }

    private static JsonObject WithoutNulls(JsonObject body) =>
        new(body.Where(each => each.Value is not null).Select(each => KeyValuePair.Create(each.Key, (JsonNode?)each.Value!.DeepClone())));

    /// <summary>The answer may say more than the request, such as members that were left out.</summary>
    private static bool Holds(JsonNode? actual, JsonNode? wanted) => wanted is JsonObject members
        ? actual is JsonObject && members.All(member => Holds(actual[member.Key], member.Value))
        : JsonNode.DeepEquals(actual, wanted);

    private sealed record Resource(string Path, string Create, string? Change, string Base, Dictionary<string, Sample> Members)
    {
        public Dictionary<string, Sample> Samples { get; } = Members.ToDictionary(each => each.Key, each => each.Value.Of(each.Key));
    }

    /// <summary>Two bodies that differ in the member.</summary>
    private sealed record Sample(string One, string Other)
    {
        public bool Bare { get; init; }

        /// <summary>Members that the resource must have before.</summary>
        public string Base { get; init; } = "{}";

        /// <summary>The member that shows that a secret has changed.</summary>
        public string? ShownAs { get; init; }

        public Sample Of(string member) => Bare ? this with { One = $"{{\"{member}\":{One}}}", Other = $"{{\"{member}\":{Other}}}" } : this;

        /// <summary>The code of the fault that the other body gets.</summary>
        public string? Refused { get; init; }
    }

    private sealed class Cleanup(Func<Task> remove) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await remove();
    }
}
