using System.ComponentModel.DataAnnotations;
using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NetAutomation.Edge;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

public sealed class OperatorKeyTests(PostgresServer postgres)
{
    private const string Expiry = "netautomation.edge.operator_key.expires";

    [Fact]
    public async Task Person_uses_two_keys_at_once_until_each_expires_and_the_expiry_of_the_last_is_shown()
    {
        await using var host = await ServiceHost.Start(
            await postgres.Create(),
            [
                "Roles:1=api",
                .. ServiceHost.OperatorKey(2, "nora", "nora-old", "read"), .. ServiceHost.OperatorKey(3, "nora", "nora-new", "read"),
                .. ServiceHost.OperatorKey(4, "paul", "paul", "read"),
                $"Operator:Keys:4:ExpiresAt={DateTimeOffset.UtcNow.AddSeconds(-1):O}",
            ]);
        foreach (var (key, status) in new[]
        {
            ("nora-old", HttpStatusCode.OK), ("nora-new", HttpStatusCode.OK), ("paul", HttpStatusCode.Unauthorized),
        })
        {
            using var client = host.Operator(key);
            (await client.Call("GET", "/operator/v1/tenants")).Must(status);
        }

        var (factory, left) = (host.Services.GetRequiredService<IMeterFactory>(), new Dictionary<string, double>());
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, own) =>
            {
                if (instrument.Name == Expiry && instrument.Meter.Scope == factory)
                {
                    own.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) => left[(string)tags[0].Value!] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        left.Keys.ShouldBe([ServiceHost.OperatorName, ServiceHost.SecondOperatorName, "nora", "paul"], ignoreOrder: true);
        left["nora"].ShouldBeInRange(TimeSpan.FromHours(20).TotalSeconds, TimeSpan.FromDays(1).TotalSeconds);
        left["paul"].ShouldBeLessThan(0);
    }

    [Fact]
    public void Key_without_role_or_expiry_and_a_third_key_of_a_person_are_refused_at_start()
    {
        var (expires, roles) = (DateTimeOffset.UtcNow, new[] { OperatorRole.Read });
        Faults(Key(1, roles, expires)).ShouldBeEmpty();
        Faults(Key(1, [], expires)).ShouldHaveSingleItem().ShouldContain("Roles");
        Faults(Key(1, roles, null)).ShouldHaveSingleItem().ShouldContain("ExpiresAt");
        Faults(Key(1, roles, expires), Key(1, roles, expires)).ShouldHaveSingleItem().ShouldContain("twice");
        Faults(Key(1, roles, expires), Key(2, roles, expires), Key(3, roles, expires)).ShouldHaveSingleItem().ShouldContain("at most 2");

        static OperatorKey Key(int secret, OperatorRole[] roles, DateTimeOffset? expires) =>
            new() { Name = "a", Sha256 = $"{secret:x64}", Roles = roles, ExpiresAt = expires };

        static List<string> Faults(params OperatorKey[] keys) =>
            [.. new OperatorOptions { Keys = keys }.Validate(new ValidationContext(keys)).Select(fault => fault.ErrorMessage!)];
    }

    [Fact]
    public async Task Key_that_ends_too_far_ahead_is_refused_at_start()
    {
        var database = await postgres.Create();
        static string[] Ending(int days) =>
            ["Roles:1=api", .. ServiceHost.OperatorKey(2, "nora", "nora", "read"),
                $"Operator:Keys:2:ExpiresAt={DateTimeOffset.UtcNow.AddDays(days):O}"];
        await (await ServiceHost.Start(database, Ending(399))).DisposeAsync();

        (await Should.ThrowAsync<OptionsValidationException>(() => ServiceHost.Start(database, Ending(401)))).Message
            .ShouldContain("400 days");
    }

    [Fact]
    public async Task Key_that_leaves_the_file_of_keys_ends_without_a_restart()
    {
        var folder = Directory.CreateTempSubdirectory("na-k");
        try
        {
            var file = Path.Combine(folder.FullName, "operators.json");
            await Write(file, Key("nora"), Key("paul"));
            await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api", $"Operator:KeysFile={file}"]);
            using var nora = host.Operator("nora");
            using var paul = host.Operator("paul");
            (await nora.Call("GET", "/operator/v1/tenants")).Must(HttpStatusCode.OK);
            (await paul.Call("GET", "/operator/v1/tenants")).Must(HttpStatusCode.OK);

            await Write(file, Key("paul"));
            await Eventually.Holds(async () => await Status(nora) == HttpStatusCode.Unauthorized);
            (await Status(paul)).ShouldBe(HttpStatusCode.OK);

            // Half a file lets nobody in, and is no fault that is noticed only at the next start.
            await File.WriteAllTextAsync(file, "{");
            await Eventually.Holds(async () => await Status(paul) == HttpStatusCode.Unauthorized);
            await Write(file, Key("nora"));
            await Eventually.Holds(async () => await Status(nora) == HttpStatusCode.OK);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        static async Task<HttpStatusCode> Status(HttpClient client) => (await client.Call("GET", "/operator/v1/tenants")).Status;

        static object Key(string name) => new
        {
            Name = name, Sha256 = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name))),
            ExpiresAt = DateTimeOffset.UtcNow.AddDays(1), Roles = new[] { "read" },
        };

        // Behind the keys that every test's host has.
        static async Task Write(string file, params object[] keys)
        {
            var next = $"{file}.new";
            var numbered = keys.Select((key, i) => (Number: $"{2 + i}", key)).ToDictionary(each => each.Number, each => each.key);
            await File.WriteAllTextAsync(next, JsonSerializer.Serialize(new { Operator = new { Keys = numbered } }));
            File.Move(next, file, overwrite: true);
        }
    }

    [Fact]
    public void Operator_listener_is_open_to_the_same_machine_alone_unless_it_is_told_otherwise() =>
        IPAddress.IsLoopback(IPEndPoint.Parse(new EdgeOptions().Listeners[Listener.Operator]).Address).ShouldBeTrue();
}
