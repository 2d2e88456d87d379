using System.Net;
using NetAutomation.Inventory.KeepDevices;
using NetAutomation.Inventory.Model;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

public sealed class DevicesTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Fact]
    public async Task Device_is_added_read_changed_and_removed()
    {
        var mine = await Inventories.Create(shared);
        var added = (await mine.Add("r1", "2001:DB8::1", new { role = "edge" })).Must(HttpStatusCode.Created);
        added.Location.ShouldBe($"/v1/devices/{added.Id}");
        added.Json.GetProperty("address").GetString().ShouldBe("2001:db8::1");
        var path = added.Location!;
        var changed = (await mine.Client.Call("PATCH", path, new { port = 2022, enabled = false }, added.ETag)).Must(HttpStatusCode.OK);
        changed.ETag.ShouldNotBe(added.ETag);
        var read = (await mine.Client.Call("GET", path)).Must(HttpStatusCode.OK);
        read.Text.ShouldBe(changed.Text);
        read.ETag.ShouldBe(changed.ETag);
        read.Json.GetProperty("labels").GetProperty("role").GetString().ShouldBe("edge");
        (await mine.Client.Call("DELETE", path, null, read.ETag)).Must(HttpStatusCode.NoContent);
        (await mine.Client.Call("GET", path)).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public void Every_fact_of_a_device_is_in_its_answer_and_in_what_adds_and_changes_it()
    {
        var facts = typeof(DeviceFacts).GetProperties().Select(each => each.Name).ToList();
        foreach (var type in new[] { typeof(DeviceResource), typeof(CreateDeviceRequest), typeof(ChangeDeviceRequest) })
        {
            facts.Except(type.GetProperties().Select(each => each.Name)).ShouldBeEmpty(type.Name);
        }
    }

    [Fact]
    public async Task Change_that_changes_nothing_keeps_the_etag()
    {
        var mine = await Inventories.Create(shared);
        var device = (await mine.Add("r1", "10.0.0.1", new { a = "1", b = "2" })).Location!;
        foreach (var (path, body) in new (string, object)[]
        {
            (device, new { name = "r1", labels = new { b = "2", a = "1" } }), ($"/v1/sites/{mine.Site}", new { name = "ams" }),
            ($"/v1/credentials/{mine.Credential}", new { name = "lab" }),
        })
        {
            var etag = (await mine.Client.Call("GET", path)).ETag!;
            (await mine.Client.Call("PATCH", path, body, etag)).Must(HttpStatusCode.OK).ETag.ShouldBe(etag);
        }
    }

    [Fact]
    public async Task Change_needs_the_current_etag()
    {
        var mine = await Inventories.Create(shared);
        var device = await mine.Add("r1", "10.0.0.1");
        foreach (
            var (path, body) in new (
                string, object)[] {
                    (device.Location!, new { port = 23 }), ($"/v1/sites/{mine.Site}", new { name = "b" }),
                    ($"/v1/credentials/{mine.Credential}", new { name = "b" }) })
        {
            var etag = (await mine.Client.Call("GET", path)).ETag!;
            (await mine.Client.Call("PATCH", path, body)).Must((HttpStatusCode)428);
            (await mine.Client.Call("DELETE", path)).Must((HttpStatusCode)428);
            (await mine.Client.Call("PATCH", path, body, "\"99\"")).Must(HttpStatusCode.PreconditionFailed);
            (await mine.Client.Call("DELETE", path, null, "\"99\"")).Must(HttpStatusCode.PreconditionFailed);
            (await mine.Client.Call("PATCH", path, body, etag)).Must(HttpStatusCode.OK);
            (await mine.Client.Call("PATCH", path, body, etag)).Must(HttpStatusCode.PreconditionFailed);
        }
    }

    [Fact]
    public async Task Of_changes_with_one_etag_only_one_succeeds()
    {
        var mine = await Inventories.Create(shared);
        var device = await mine.Add("r1", "10.0.0.1");
        var answers =
            await Task.WhenAll(
                Enumerable.Range(1, 8).Select(i => mine.Client.Call("PATCH", device.Location!, new { port = 2000 + i }, device.ETag)));
        answers.Count(answer => answer.Status == HttpStatusCode.OK).ShouldBe(1);
        answers.Count(answer => answer.Status == HttpStatusCode.PreconditionFailed).ShouldBe(7);
    }

    [Fact]
    public async Task Name_and_address_are_unique()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "10.0.0.1");
        (await mine.Add("r1", "10.0.0.2")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("device_name_taken");
        (await mine.Add("r2", "10.0.0.1")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("device_address_taken");
        (await mine.Add("r2", "::ffff:10.0.0.1")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("device_address_taken");
        (await mine.Add("r2", "10.0.0.1", port: 23)).Must(HttpStatusCode.Created);
        var other = (await mine.Client.Call("POST", "/v1/sites", new { name = "fra" })).Id;
        (await mine.Client.Call(
            "POST", "/v1/devices",
            new { name = "r3", siteId = other, address = "10.0.0.1", platform = "frr", credentialId = mine.Credential }))
                .Must(HttpStatusCode.Created);
        (await mine.Client.Call("POST", "/v1/sites", new { name = "fra" }))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("site_name_taken");
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "lab", username = "a", kind = "password", password = "b" }))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("credential_name_taken");
    }

    [Fact]
    public async Task Site_and_credential_of_a_device_stay()
    {
        var mine = await Inventories.Create(shared);
        var device = await mine.Add("r1", "10.0.0.1");
        (await mine.Client.Call("DELETE", $"/v1/sites/{mine.Site}", null, "*"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("site_in_use");
        (await mine.Client.Call("DELETE", $"/v1/credentials/{mine.Credential}", null, "*"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("credential_in_use");
        (await mine.Client.Call("DELETE", device.Location!, null, "*")).Must(HttpStatusCode.NoContent);
        (await mine.Client.Call("DELETE", $"/v1/sites/{mine.Site}", null, "*")).Must(HttpStatusCode.NoContent);
        (await mine.Client.Call("DELETE", $"/v1/credentials/{mine.Credential}", null, "*")).Must(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Every_fault_is_reported_with_its_pointer()
    {
        var mine = await Inventories.Create(shared);
        var labels = new Dictionary<string, string> { ["a b"] = "x", ["ok"] = "-", ["x/y"] = "" };
        var answer = await mine.Client.Call("POST", "/v1/devices", new
        {
            name = "all", siteId = "sit_none", address = "169.254.169.254", port = 0, platform = "none", credentialId = mine.Site,
            hostKeySha256 = "MD5:x", labels,
        });
        answer.Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
            [
                "/name pattern", "/siteId unknown_site", "/address address", "/port out_of_range", "/platform unknown_platform",
                "/credentialId unknown_credential",
                "/hostKeySha256 pattern", "/labels/a b label_key", "/labels/ok label_value",
            ],
            ignoreOrder: true);
    }

    [Theory]
    [InlineData("{}", 400)]
    [InlineData("""{"name":"a","siteId":"x","address":"a","platform":"frr","credentialId":"x","color":"red"}""", 400)]
    [InlineData("""{"name":null,"siteId":"x","address":"a","platform":"frr","credentialId":"x"}""", 400)]
    [InlineData("""{"name":"a","siteId":"x","address":"a","platform":"frr","credentialId":"x","port":"22"}""", 400)]
    [InlineData("""{"name":"a","siteId":"x","address":"a","platform":"frr","credentialId":"x","labels":{"a":null}}""", 400)]
    [InlineData("""{"name":"a\u0000","siteId":"x","address":"a","platform":"frr","credentialId":"x"}""", 400)]
    public async Task Body_that_is_no_device_is_refused(string body, int status)
    {
        var mine = await Inventories.Create(shared);
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        (await mine.Client.Call("POST", "/v1/devices", content)).Must((HttpStatusCode)status);
    }

    [Fact]
    public async Task Device_without_a_platform_is_refused_as_one_without_an_address_is()
    {
        var mine = await Inventories.Create(shared);
        (await mine.Client.Call(
            "POST", "/v1/devices", new { name = "r1", siteId = mine.Site, address = "10.0.0.1", credentialId = mine.Credential }))
            .Must(HttpStatusCode.BadRequest).Faults.ShouldBe(["/platform required"]);
        (await mine.Client.Call(
            "POST", "/v1/devices", new { name = "r1", siteId = mine.Site, platform = "frr", credentialId = mine.Credential }))
            .Must(HttpStatusCode.BadRequest).Faults.ShouldBe(["/address required"]);
    }

    [Fact]
    public async Task Refused_device_leaves_nothing_behind()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "not an address");
        await mine.Add("r2", "10.0.0.1");
        await mine.Add("r2", "10.0.0.2");
        (await Names(mine, "")).ShouldBe(["r2"]);
    }

    [Fact]
    public async Task List_is_filtered_by_site_and_selector_and_paged()
    {
        var mine = await Inventories.Create(shared);
        for (var i = 0; i < 5; i++)
        {
            (await mine.Add($"r{i}", $"10.0.0.{i}", new { role = i % 2 == 0 ? "edge" : "core" })).Must(HttpStatusCode.Created);
        }

        (await Names(mine, $"?site={mine.Site}&selector=role%3Dedge")).ShouldBe(["r4", "r2", "r0"]);
        (await Names(mine, "?selector=role+notin+(edge)")).ShouldBe(["r3", "r1"]);
        (await Names(mine, $"?site={SiteId.New()}")).ShouldBeEmpty();
        (await mine.Client.Call("GET", "/v1/devices?selector=role+like+x"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/selector selector"]);
        var page = (await mine.Client.Call("GET", "/v1/devices?limit=2&selector=role%3Dedge")).Json;
        var next = page.GetProperty("next").GetString();
        (await Names(mine, $"?limit=2&selector=role%3Dedge&after={next}")).ShouldBe(["r0"]);
        (await mine.Client.Call("GET", $"/v1/devices?limit=2&after={next}"))
            .Must(HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("cursor_mismatch");
    }

    [Fact]
    public async Task Tenants_never_see_each_others()
    {
        var (mine, other) = (await Inventories.Create(shared), await Inventories.Create(shared));
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        (await other.Add("r1", "10.0.0.1")).Must(HttpStatusCode.Created);
        var absent = (await other.Client.Call("GET", $"/v1/devices/{DeviceId.New()}")).Must(HttpStatusCode.NotFound);
        foreach (var path in new[] { device, $"/v1/sites/{mine.Site}", $"/v1/credentials/{mine.Credential}" })
        {
            var seen = (await other.Client.Call("GET", path)).Must(HttpStatusCode.NotFound);
            (seen.Json.GetProperty("title").GetString(), seen.Json.EnumerateObject().Count())
                .ShouldBe((absent.Json.GetProperty("title").GetString(), absent.Json.EnumerateObject().Count()));
            (await other.Client.Call("PATCH", path, new { name = "x" }, "*")).Must(HttpStatusCode.NotFound);
            (await other.Client.Call("DELETE", path, null, "*")).Must(HttpStatusCode.NotFound);
        }

        (await other.Client.Call(
            "POST", "/v1/devices",
            new { name = "r2", siteId = mine.Site, address = "10.0.0.2", platform = "frr", credentialId = mine.Credential }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
                ["/siteId unknown_site", "/credentialId unknown_credential"], ignoreOrder: true);
        (await mine.Client.Call("GET", device)).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Roles_are_held()
    {
        var mine = await Inventories.Create(shared);
        var viewer = await shared.Host.CreateKey(mine.Tenant, MemberRole.Viewer);
        var keyOperator = await shared.Host.CreateKey(mine.Tenant, MemberRole.Operator);
        (await viewer.Call("GET", "/v1/devices")).Must(HttpStatusCode.OK);
        (await viewer.Call("POST", "/v1/sites", new { name = "x" })).Must(HttpStatusCode.Forbidden);
        (await keyOperator.Call("POST", "/v1/sites", new { name = "x" })).Must(HttpStatusCode.Created);
        (await keyOperator.Call("POST", "/v1/credentials", new { name = "x", username = "x", kind = "password", password = "x" }))
            .Must(HttpStatusCode.Forbidden);
        (await keyOperator.Call("DELETE", $"/v1/credentials/{mine.Credential}", null, "*")).Must(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Pin_is_kept_replaced_and_forgotten()
    {
        var mine = await Inventories.Create(shared);
        var device = await mine.Add("r1", "10.0.0.1");
        var pin = $"SHA256:{new string('A', 43)}";
        var pinned = (await mine.Client.Call("PATCH", device.Location!, new { hostKeySha256 = pin }, "*")).Must(HttpStatusCode.OK);
        pinned.Json.GetProperty("hostKeySha256").GetString().ShouldBe(pin);
        (await mine.Client.Call("PATCH", device.Location!, new { port = 23 }, "*")).Json.GetProperty("hostKeySha256").GetString()
            .ShouldBe(pin);
        (await mine.Client.Call("PATCH", device.Location!, new { hostKeySha256 = "" }, "*")).Json.GetProperty("hostKeySha256").GetString()
            .ShouldBeNull();
    }

    [Fact]
    public async Task Pin_is_set_by_an_operator_and_audited()
    {
        var (mine, other) = (await Inventories.Create(shared), await Inventories.Create(shared));
        var device = await mine.Add("r1", "10.0.0.1");
        var path = $"{device.Location}:pin";
        var (one, two) = (new { hostKeySha256 = $"SHA256:{new string('A', 43)}" }, new { hostKeySha256 = $"SHA256:{new string('B', 43)}" });
        var viewer = await shared.Host.CreateKey(mine.Tenant, MemberRole.Viewer);
        var keyOperator = await shared.Host.CreateKey(mine.Tenant, MemberRole.Operator);
        (await viewer.Call("POST", path, one)).Must(HttpStatusCode.Forbidden);
        (await other.Client.Call("POST", path, one)).Must(HttpStatusCode.NotFound);
        (await keyOperator.Call("POST", path, new { hostKeySha256 = "" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/hostKeySha256 pattern"]);
        (await keyOperator.Call("POST", path, new { })).Must(HttpStatusCode.BadRequest);

        var pinned = (await keyOperator.Call("POST", path, one)).Must(HttpStatusCode.OK);
        pinned.Json.GetProperty("hostKeySha256").GetString().ShouldBe(one.hostKeySha256);
        (await mine.Client.Call("GET", device.Location!)).ETag.ShouldBe(pinned.ETag);
        (await keyOperator.Call("POST", path, two, device.ETag)).Must(HttpStatusCode.PreconditionFailed);
        (await keyOperator.Call("POST", path, two, pinned.ETag)).Must(HttpStatusCode.OK)
            .Json.GetProperty("hostKeySha256").GetString().ShouldBe(two.hostKeySha256);
        (await keyOperator.Call("POST", path, two)).Must(HttpStatusCode.OK);

        var deeds = (await mine.Client.Call("GET", "/v1/audit")).Json.GetProperty("items").EnumerateArray()
            .Where(deed => deed.GetProperty("action").GetString() == "device.pinned").ToList();
        deeds.Select(deed => deed.GetProperty("data").GetProperty("hostKeySha256").GetString())
            .ShouldBe([two.hostKeySha256, one.hostKeySha256], "a pin that changes nothing is no deed");
        deeds.ShouldAllBe(deed => deed.GetProperty("subject").GetString() == device.Id);
    }

    [Theory]
    [InlineData("^sw1\\* #$")]
    [InlineData("^[\\w.-]+@[a-z0-9-]{1,30}:~\\$ ?$")]
    [InlineData("^swé.{1,2}#$")]
    public async Task Prompt_of_a_device_is_kept_as_it_was_given(string prompt)
    {
        var mine = await Inventories.Create(shared);
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        (await mine.Client.Call("PATCH", device, new { connectionOptions = new { prompt } }, "*")).Must(HttpStatusCode.OK);
        (await mine.Client.Call("GET", device)).Json.GetProperty("connectionOptions").GetProperty("prompt").GetString().ShouldBe(prompt);
        (await mine.Client.Call("PATCH", device, new { connectionOptions = new { } }, "*")).Must(HttpStatusCode.OK)
            .Json.GetProperty("connectionOptions").GetProperty("prompt").GetString().ShouldBeNull();
    }

    [Theory]
    [InlineData("sw1#")]
    [InlineData("^sw1#")]
    [InlineData("^$")]
    [InlineData("^(a+)+$")]
    [InlineData("^a|b$")]
    [InlineData("^a*b*c*d*$")]
    [InlineData("^a?b?c?d?$")]
    [InlineData("^a{1,9}b{1,9}c{1,9}d{1,9}$")]
    [InlineData("^a+?$")]
    [InlineData("^\\1$")]
    [InlineData("^[z-a]$")]
    [InlineData("^a{5,2}$")]
    [InlineData("^\\x41$")]
    [InlineData("^[a[b]$")]
    [InlineData("^a\nb$")]
    public async Task Prompt_that_is_no_plain_pattern_of_a_line_is_refused(string prompt)
    {
        var mine = await Inventories.Create(shared);
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        (await mine.Client.Call("PATCH", device, new { connectionOptions = new { prompt } }, "*"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/connectionOptions/prompt pattern"]);
    }

    [Fact]
    public async Task Every_fault_of_connection_options_is_reported_with_its_pointer()
    {
        var mine = await Inventories.Create(shared);
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        var connectionOptions = new { connectSeconds = 121, commandSeconds = 4, prompt = new string('a', 200), firstAnswer = "a\nb" };
        (await mine.Client.Call("PATCH", device, new { connectionOptions }, "*")).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
            [
                "/connectionOptions/connectSeconds out_of_range", "/connectionOptions/commandSeconds out_of_range",
                "/connectionOptions/prompt pattern", "/connectionOptions/firstQuestion required", "/connectionOptions/firstAnswer pattern",
            ],
            ignoreOrder: true);
    }

    [Fact]
    public async Task Shell_is_kept_for_a_platform_that_has_a_use_for_it_and_refused_for_every_other()
    {
        var mine = await Inventories.Create(shared);
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        var connectionOptions = new { shell = true };
        (await mine.Client.Call("PATCH", device, new { connectionOptions }, "*")).Must(HttpStatusCode.OK)
            .Json.GetProperty("connectionOptions").GetProperty("shell").GetBoolean().ShouldBeTrue();

        var platforms = (await mine.Client.Call("GET", "/v1/platforms")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .ToDictionary(each => each.GetProperty("platform").GetString()!, each => each.GetProperty("shell").GetBoolean());
        platforms.Where(each => each.Value).Select(each => each.Key).ShouldBe(["frr"]);
        foreach (var platform in platforms.Keys.Except(["frr"]))
        {
            (await mine.Client.Call("PATCH", device, new { platform }, "*"))
                .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/connectionOptions/shell not_on_platform"]);
            (await mine.Client.Call("PATCH", device, new { platform, connectionOptions = new { shell = false } }, "*"))
                .Must(HttpStatusCode.OK);
            (await mine.Client.Call("PATCH", device, new { platform = "frr", connectionOptions }, "*")).Must(HttpStatusCode.OK);
        }
    }

    private static async Task<IReadOnlyList<string>> Names(Inventories mine, string query) =>
        [.. (await mine.Client.Call("GET", $"/v1/devices{query}")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("name").GetString()!)];
}
