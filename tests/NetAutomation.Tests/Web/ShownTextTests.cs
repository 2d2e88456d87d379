using System.Net;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

public sealed class ShownTextTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Theory]
    [InlineData("\u202E", "a right-to-left override")]
    [InlineData("\u2066", "an isolate")]
    [InlineData("\u200B", "a zero-width space")]
    [InlineData("\u200D", "a joiner")]
    [InlineData("\u00AD", "a soft hyphen")]
    [InlineData("\uFEFF", "a byte order mark")]
    [InlineData("\u2028", "a line separator")]
    [InlineData("\u2029", "a paragraph separator")]
    [InlineData("\uE000", "private use")]
    [InlineData("\U000F0000", "private use beyond the first plane")]
    [InlineData("\u0378", "no character")]
    [InlineData("\uFFFF", "a noncharacter")]
    [InlineData("\u3164", "a filler letter")]
    [InlineData("\uFE0F", "a variation selector")]
    [InlineData("\U000E0041", "a tag")]
    [InlineData("\u2800", "a blank pattern")]
    [InlineData("\u0007", "a control character")]
    public void Name_with_a_character_that_nobody_sees_is_refused(string hidden, string what)
    {
        ShownText.NameFaults($"a{hidden}b", "/name").ShouldHaveSingleItem(what).Code.ShouldBe("pattern");
        ShownText.TextFaults($"a{hidden}b", "/reason").ShouldHaveSingleItem(what).Code.ShouldBe("control_character");
    }

    [Fact]
    public void Half_a_character_is_refused() => ShownText.NameFaults($"a{(char)0xD800}", "/name").ShouldNotBeEmpty();

    [Theory]
    [InlineData("Zürich 3. Stock")]
    [InlineData("東京 データセンター")]
    [InlineData("מרכז נתונים")]
    [InlineData("router 🦀")]
    public void Name_in_any_script_is_taken(string name) => ShownText.NameFaults(name, "/name").ShouldBeEmpty();

    [Fact]
    public void Text_may_have_lines_and_a_name_may_not()
    {
        ShownText.TextFaults("one\n\ttwo", "/reason").ShouldBeEmpty();
        ShownText.NameFaults("one\ntwo", "/name").ShouldNotBeEmpty();
    }

    [Fact]
    public async Task No_operation_takes_a_name_that_shows_otherwise_than_it_reads()
    {
        var tenant = await shared.Host.CreateTenant();
        var operations = (await ApiOperation.All(tenant.Client)).Where(operation => operation is { Verb: "POST", PathParameters: [] }
            && operation.BodySchema?["properties"]?["name"] is not null).ToList();
        operations.Select(operation => operation.Name).ShouldBe(
            [
                "CreateMember", "CreateApiKey", "CreateSite", "CreateCredential", "CreateDevice", "CreateConnector", "CreateWindow",
                "CreateSchedule",
            ],
            ignoreOrder: true);
        foreach (var operation in operations)
        {
            var body = operation.Body(
                prefix => prefix + new string('0', 26), name => name is "username" or "password" or "cron" or "duration" or "timeZone")!;
            body["name"] = "core\u202Eretuor";
            var answer = await tenant.Client.Call("POST", operation.Path, body);
            answer.Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldContain("/name pattern", operation.Name);
        }
    }

    [Fact]
    public async Task Operators_reasons_are_shown_to_customers_as_they_read()
    {
        var tenant = await shared.Host.CreateTenant();
        using var staff = shared.Host.Operator();
        var hidden = "paid\u202Enot";
        foreach (var (path, body) in new (string, object)[]
        {
            ($"/tenants/{tenant.Id}/limits/sites", new { max = 7, reason = hidden }),
            ($"/tenants/{tenant.Id}:suspend", new { reason = hidden }),
            ($"/tenants/{tenant.Id}:offboard", new { reason = hidden }),
            ($"/endpoint-connections/{tenant.Connection}:reject", new { reason = hidden }),
            ("/blocks/static-routes/versions/1.0.0:withdraw", new { reason = hidden }),
            ("/adjustments", new { tenantId = $"{tenant.Id}", kind = "credit", document = "d", reason = hidden }),
        })
        {
            var verb = path.Contains("/limits/", StringComparison.Ordinal) ? "PUT" : "POST";
            (await staff.Call(verb, $"/operator/v1{path}", body)).Must(HttpStatusCode.UnprocessableEntity).Faults
                .ShouldContain("/reason control_character", path);
        }
    }
}
