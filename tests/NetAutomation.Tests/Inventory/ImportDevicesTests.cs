using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using NetAutomation.Inventory;
using NetAutomation.Inventory.Model;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

public sealed class ImportDevicesTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private const string Header = "name,site,address,port,platform,credential,hostKeySha256,labels,enabled\r\n";

    [Fact]
    public async Task Import_adds_changes_and_leaves_alone()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "10.0.0.1", new { a = "1" });
        await mine.Add("r2", "10.0.0.2");
        var csv = Header + "r1,,,,,,,,\r\nr2,,,2022,,,,role=edge;x/y=,false\r\n\"r3\",ams, r3.example ,,frr,lab,,,\r\n";
        Counts(await Import(mine, csv, dryRun: true)).ShouldBe((true, 1, 1, 1));
        (await Names(mine)).ShouldBe(["r1", "r2"]);
        Counts(await Import(mine, csv)).ShouldBe((false, 1, 1, 1));
        Counts(await Import(mine, csv)).ShouldBe((false, 0, 0, 3));
        var devices = (await mine.Client.Call("GET", "/v1/devices")).Json.GetProperty("items").EnumerateArray()
            .ToDictionary(item => item.GetProperty("name").GetString()!);
        devices["r1"].GetProperty("labels").GetProperty("a").GetString().ShouldBe("1");
        devices["r2"].GetProperty("port").GetInt32().ShouldBe(2022);
        devices["r2"].GetProperty("labels").GetProperty("x/y").GetString().ShouldBe("");
        devices["r2"].GetProperty("enabled").GetBoolean().ShouldBeFalse();
        devices["r3"].GetProperty("address").GetString().ShouldBe("r3.example");
        devices["r3"].GetProperty("port").GetInt32().ShouldBe(22);
    }

    [Fact]
    public async Task Every_fact_of_a_device_has_a_column_that_changes_it()
    {
        var mine = await Inventories.Create(shared);
        (await mine.Client.Call("POST", "/v1/sites", new { name = "fra" })).Must(HttpStatusCode.Created);
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "other", username = "a", kind = "password", password = "b" }))
            .Must(HttpStatusCode.Created);
        var device = (await mine.Add("r1", "10.0.0.1")).Location!;
        var cells = new Dictionary<string, string>
        {
            ["siteId"] = "fra", ["address"] = "10.0.0.9", ["port"] = "2022", ["credentialId"] = "other",
            ["hostKeySha256"] = $"SHA256:{new string('A', 43)}",
            ["labels"] = "role=edge", ["enabled"] = "false", ["connectSeconds"] = "40", ["commandSeconds"] = "90", ["prompt"] = "^sw1#$",
            ["firstQuestion"] = @"\[y/n\]", ["firstAnswer"] = "n", ["shell"] = "true",
        };
        foreach (var (type, within) in new[] { (typeof(DeviceFacts), ""), (typeof(ConnectionOptions), "connectionOptions") })
        {
            foreach (
                var fact in type.GetProperties().Select(each => JsonNamingPolicy.CamelCase.ConvertName(each.Name))
                    .Except(["name", "platform", "connectionOptions"]))
            {
                var before = await Shown(within, fact);
                Counts(await Import(mine, $"name,{Column(fact)}\r\nr1,{cells[fact]}\r\n")).ShouldBe((false, 0, 1, 0), fact);
                (await Shown(within, fact)).ShouldNotBe(before, fact);
            }
        }

        (await Import(mine, "name,connectSeconds,prompt\r\nr1,4,(a+)+\r\n"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/rows/2/connectSeconds out_of_range", "/rows/2/prompt pattern"]);

        (await Import(mine, "name,platform\r\nr1,none\r\n"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/rows/2/platform unknown_platform"]);

        async Task<string> Shown(string within, string fact)
        {
            var json = (await mine.Client.Call("GET", device)).Json;
            return (within.Length > 0 ? json.GetProperty(within) : json).GetProperty(fact).GetRawText();
        }

        static string Column(string fact) => fact.EndsWith("Id", StringComparison.Ordinal) ? fact[..^2] : fact;
    }

    [Fact]
    public async Task One_bad_row_keeps_all_rows_out()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "10.0.0.1");
        var csv = Header
            + "r1,ams,10.0.0.9,22,frr,lab,,,\r\n"
            + "r2,nowhere,10.0.0.2,99999,frr,nobody,,,maybe\r\n"
            + "r3,ams,127.0.0.1,22,none,lab,,-=1,\r\n"
            + "r4,,10.0.0.4,x,frr,lab,,,\r\n"
            + "r1,ams,10.0.0.8,22,frr,lab,,,\r\n"
            + ",ams,10.0.0.7,22,frr,lab,,,\r\n"
            + "r5,ams,10.0.0.5,22,,lab,,,\r\n";
        (await Import(mine, csv)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
            [
                "/rows/3/site unknown_site", "/rows/3/port out_of_range", "/rows/3/credential unknown_credential", "/rows/3/enabled type",
                "/rows/4/address address", "/rows/4/platform unknown_platform", "/rows/4/labels/- label_key", "/rows/5/site required",
                "/rows/5/port type",
                "/rows/6/name duplicate", "/rows/7/name pattern", "/rows/8/platform required",
            ],
            ignoreOrder: true);
        (await Names(mine)).ShouldBe(["r1"]);
        (await mine.Client.Call("GET", "/v1/devices")).Json.GetProperty("items")[0].GetProperty("address").GetString().ShouldBe("10.0.0.1");
    }

    [Fact]
    public async Task Addresses_may_be_swapped_but_not_shared()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "10.0.0.1");
        await mine.Add("r2", "10.0.0.2");
        await mine.Add("r3", "10.0.0.3");
        Counts(await Import(mine, "name,address\r\nr1,10.0.0.2\r\nr2,10.0.0.1\r\n")).ShouldBe((false, 0, 2, 0));
        (await Import(mine, "name,address\r\nr1,10.0.0.3\r\n"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/rows/2/address address_taken"]);
        (await Import(mine, "name,address\r\nr1,10.0.0.9\r\nr2,10.0.0.9\r\n"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/rows/3/address address_taken"]);
    }

    [Theory]
    [InlineData("", 422)]
    [InlineData("address\r\n10.0.0.1\r\n", 422)]
    [InlineData("name,colour\r\nr1,red\r\n", 422)]
    [InlineData("name,name\r\nr1,r1\r\n", 422)]
    [InlineData("name,address\r\nr1\r\n", 422)]
    [InlineData("name,address\r\nr1,10.0.0.1,x\r\n", 422)]
    [InlineData("name,address\r\n\"r1,10.0.0.1\r\n", 422)]
    [InlineData("name,address\r\nr1,\0\r\n", 400)]
    public async Task File_that_is_no_inventory_is_refused(string csv, int status) =>
        (await Import(await Inventories.Create(shared), csv)).Must((HttpStatusCode)status);

    [Fact]
    public async Task Other_media_type_encoding_and_size_are_refused()
    {
        var mine = await Inventories.Create(shared);
        using var json = new StringContent("{}", Encoding.UTF8, "application/json");
        (await mine.Client.Call("POST", "/v1/devices:import", json)).Must(HttpStatusCode.UnsupportedMediaType);
        using var latin = new ByteArrayContent([0x6e, 0xff]);
        latin.Headers.ContentType = new MediaTypeHeaderValue("text/csv");
        (await mine.Client.Call("POST", "/v1/devices:import", latin)).Must(HttpStatusCode.BadRequest);
        (await Import(mine, Header + string.Concat(Enumerable.Range(0, 10_001).Select(i => $"r{i},ams,r{i}.example,,frr,lab,,,\r\n"))))
            .Must(HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/rows too_many"]);
    }

    [Fact]
    public async Task Thousands_of_rows_are_one_import()
    {
        var mine = await Inventories.Create(shared);
        var csv = Header + string.Concat(Enumerable.Range(0, 3000).Select(i => $"r{i},ams,r{i}.example,,frr,lab,,n=v{i},\r\n"));
        Counts(await Import(mine, csv)).ShouldBe((false, 3000, 0, 0));
        Counts(await Import(mine, csv)).ShouldBe((false, 0, 0, 3000));
    }

    [Fact]
    public async Task Import_reaches_the_own_tenant_only()
    {
        var (mine, other) = (await Inventories.Create(shared), await Inventories.Create(shared));
        await other.Add("r1", "10.0.0.1");
        Counts(await Import(mine, Header + "r1,ams,10.0.0.1,,frr,lab,,,\r\n")).ShouldBe((false, 1, 0, 0));
    }

    private static async Task<Answer> Import(Inventories mine, string csv, bool dryRun = false)
    {
        using var content = new StringContent(csv, Encoding.UTF8, "text/csv");
        return await mine.Client.Call("POST", $"/v1/devices:import{(dryRun ? "?dryRun=true" : "")}", content);
    }

    private static (bool DryRun, int Created, int Updated, int Unchanged) Counts(Answer answer)
    {
        var json = answer.Must(HttpStatusCode.OK).Json;
        return (
            json.GetProperty("dryRun").GetBoolean(), json.GetProperty("created").GetInt32(), json.GetProperty("updated").GetInt32(),
            json.GetProperty("unchanged").GetInt32());
    }

    private static async Task<IReadOnlyList<string>> Names(Inventories mine) =>
        [.. (await mine.Client.Call("GET", "/v1/devices")).Json.GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("name").GetString()!).Order()];
}
