using System.Diagnostics;
using System.Net;
using System.Text;
using NetAutomation.Inventory;
using NetAutomation.Inventory.Select;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Inventory;

public sealed class SelectorTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private static readonly string[] _keys = ["a", "b", "in", "notin", "example.com/x"];
    private static readonly string[] _values = ["", "1", "2", "in", "v-1.x"];

    [Theory]
    [InlineData("a=1")]
    [InlineData("a==1,b!=2")]
    [InlineData(" a , ! b , example.com/x in ( , 1 ) ")]
    [InlineData("a=")]
    [InlineData("a=,b")]
    [InlineData("in in (in,notin)")]
    [InlineData("a\tnotin\n(x)")]
    public void Grammar_of_kubernetes_is_read(string text) => Selector.Read(text, "").Problem.ShouldBeNull();

    [Fact]
    public void A_selector_with_more_requirements_than_it_may_have_is_refused_with_their_number()
    {
        Selector.Read(string.Join(',', Enumerable.Repeat("a", 50)), "").Problem.ShouldBeNull();
        Selector.Read(string.Join(',', Enumerable.Repeat("a", 51)), "").Problem!.Detail.ShouldNotBeNull().ShouldContain("at most 50");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(",")]
    [InlineData("a,")]
    [InlineData(",a")]
    [InlineData("a=1=2")]
    [InlineData("a=1 b=2")]
    [InlineData("a in")]
    [InlineData("a in ()")]
    [InlineData("a in (1")]
    [InlineData("a in 1")]
    [InlineData("a in (1))")]
    [InlineData("a inn (1)")]
    [InlineData("!a=1")]
    [InlineData("!!a")]
    [InlineData("a>1")]
    [InlineData("a<1")]
    [InlineData("a!1")]
    [InlineData("a===1")]
    [InlineData("-a=1")]
    [InlineData("a=-1")]
    [InlineData("a=1;drop")]
    [InlineData("a=x'y")]
    [InlineData("a={0}")]
    [InlineData("a/b/c=1")]
    [InlineData("/b=1")]
    [InlineData("A.B/c=1")]
    public void An_invalid_selector_is_refused(string text) => Selector.Read(text, "").Problem.ShouldNotBeNull();

    [Fact]
    public void Bounds_are_held()
    {
        Selector.Read($"a={new string('x', 64)}", "").Problem.ShouldNotBeNull();
        Selector.Read($"a={new string('x', 63)}", "").Problem.ShouldBeNull();
        Selector.Read(string.Join(',', Enumerable.Repeat("a=1", 2000)), "").Problem.ShouldNotBeNull();
    }

    [Fact]
    public async Task Random_selectors_select_what_the_model_says()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var mine = await Inventories.Create(shared);
        var devices = Enumerable.Range(0, 60).ToDictionary(
            i => $"r{i}", _ => _keys.Where(_ => random.Next(2) == 0).ToDictionary(key => key, _ => random.GetItems(_values, 1)[0]));
        var csv = new StringBuilder("name,site,address,platform,credential,labels\r\n");
        foreach (var (name, labels) in devices)
        {
            csv.Append($"{name},ams,{name}.example,frr,lab,{string.Join(';', labels.Select(label => $"{label.Key}={label.Value}"))}\r\n");
        }

        using var content = new StringContent(csv.ToString(), Encoding.UTF8, "text/csv");
        (await mine.Client.Call("POST", "/v1/devices:import", content)).Must(HttpStatusCode.OK);
        for (var round = 0; round < 300; round++)
        {
            var requirements = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Requirement.Random(random)).ToList();
            var text = string.Join(",", requirements.Select(requirement => requirement.Print(random)));
            var expected = devices.Where(device => requirements.TrueForAll(requirement => requirement.Holds(device.Value)))
                .Select(device => device.Key).Order(StringComparer.Ordinal);
            var resolved = await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), new Targets(Selector: text)));
            var actual = resolved.Refused(out var problem, out var found) && problem.Errors![0].Code == "no_targets"
                ? [] : found.Select(device => device.Name);
            actual.Order(StringComparer.Ordinal).ShouldBe(expected, $"seed {seed}: {text}");
        }
    }

    [Fact]
    public async Task Long_labels_are_unpacked_once_for_a_selector_and_not_once_for_each_requirement()
    {
        var mine = await Inventories.Create(shared);
        await mine.Add("r1", "10.0.0.1");
        await using var source = NpgsqlDataSource.Create(shared.Database.Owner);
        // Longer than the API takes, as they may be stored, and of letters that do not compress.
        await source.Execute(
            """
            insert into inventory.device
            select (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'name', 'x' || n, 'address', 'x' || n,
              'labels', (select jsonb_object_agg('k' || k, 
                (select string_agg(md5(random()::text), '') from generate_series(1, 10 + 0 * k + 0 * n)))
                from generate_series(1, 64) k)))).*
            from inventory.device d, generate_series(1, 200) n where tenant_id = $1
            """, mine.Tenant.Id.Value);
        var one = "k64=none";
        var fifty = $"{string.Join(',', Enumerable.Range(1, 49).Select(k => $"k{k}!=none"))},{one}";
        var (single, many) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var i = 0; i < 4; i++)
        {
            (single, many) = (Shorter(single, await Time(one)), Shorter(many, await Time(fifty)));
        }

        (many / single).ShouldBeLessThan(12, $"{single} and {many}");

        async Task<TimeSpan> Time(string selector)
        {
            var watch = Stopwatch.StartNew();
            (await mine.Client.Call("GET", $"/v1/devices?selector={Uri.EscapeDataString(selector)}")).Must(HttpStatusCode.OK)
                .Json.GetProperty("items").GetArrayLength().ShouldBe(0);
            return watch.Elapsed;
        }

        static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
    }

    [Fact]
    public async Task Labels_that_are_long_together_are_refused()
    {
        var mine = await Inventories.Create(shared);
        static Dictionary<string, string> Labels(int values) =>
            Enumerable.Range(10, values).ToDictionary(n => $"k{n}", _ => new string('x', 61), StringComparer.Ordinal);
        (await mine.Add("r1", "10.0.0.1", Labels(64))).Must(HttpStatusCode.Created);
        var longer = Labels(64);
        longer["k10"] += "x";
        (await mine.Add("r2", "10.0.0.2", longer)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/labels too_large"]);
    }

    private sealed record Requirement(string Key, string Operator, string[] Values)
    {
        public static Requirement Random(Random random)
        {
            var kind = random.GetItems(["=", "==", "!=", "in", "notin", "exists", "absent"], 1)[0];
            return new Requirement(
                random.GetItems(_keys, 1)[0], kind, random.GetItems(_values, kind is "in" or "notin" ? random.Next(1, 4) : 1));
        }

        public bool Holds(Dictionary<string, string> labels)
        {
            var has = labels.TryGetValue(Key, out var value);
            return Operator switch
            {
                "=" or "==" => has && value == Values[0],
                "!=" => !has || value != Values[0],
                "in" => has && Values.Contains(value),
                "notin" => !has || !Values.Contains(value),
                "exists" => has,
                _ => !has,
            };
        }

        public string Print(Random random)
        {
            string Blank() => new(' ', random.Next(3));
            return Operator switch
            {
                "exists" => $"{Blank()}{Key}{Blank()}",
                "absent" => $"{Blank()}!{Blank()}{Key}{Blank()}",
                // A single empty value would print as (), which is not a list.
                "in" or "notin" =>
                    $"{Key} {Operator}{Blank()}({Blank()}{(Values is [""] ? "," : string.Join($"{Blank()},{Blank()}", Values))}{Blank()})",
                _ => $"{Key}{Blank()}{Operator}{Blank()}{Values[0]}{Blank()}",
            };
        }
    }
}
