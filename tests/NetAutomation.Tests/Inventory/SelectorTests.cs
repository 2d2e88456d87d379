using System.Net;
using System.Text;
using NetAutomation.Inventory;
using NetAutomation.Inventory.Select;
using NetAutomation.Tests.Support;

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
            var resolved = await mine.In(db => TargetResolver.Resolve(db, new Targets(Selector: text)));
            var actual = resolved.Refused(out var problem, out var found) && problem.Errors![0].Code == "no_targets"
                ? [] : found.Select(device => device.Name);
            actual.Order(StringComparer.Ordinal).ShouldBe(expected, $"seed {seed}: {text}");
        }
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
