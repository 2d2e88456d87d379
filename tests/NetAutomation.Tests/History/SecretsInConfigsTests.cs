using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

/// <summary>Secrets that stand in configurations, in many spellings: nobody sees them but an admin who asks for them.</summary>
public sealed class SecretsInConfigsTests(HistoryFixture fixture) : IClassFixture<HistoryFixture>
{
    /// <summary>By platform, lines with SECRET in the place of one.</summary>
    private static readonly Dictionary<string, string[]> _lines = new(StringComparer.Ordinal)
    {
        ["ios"] =
        [
            "enable secret 5 SECRET", "enable secret 8 SECRET", "username ann privilege 15 secret 9 SECRET", " password 7 SECRET",
            "snmp-server community SECRET RO", "snmp-server user ann ops v3 auth sha SECRET", "  key-string 7 SECRET",
            " ip ospf message-digest-key 1 md5 7 SECRET", "crypto isakmp key 6 SECRET address 192.0.2.1", " pre-shared-key local SECRET",
            "tacacs-server host 192.0.2.1 key 7 SECRET", " neighbor 192.0.2.1 password 7 SECRET",
            "ip http client password 7 SECRET", "ntp authentication-key 1 md5 SECRET 7",
        ],
        ["eos"] =
        [
            "username ann secret sha512 SECRET", "enable password sha512 SECRET", "snmp-server community SECRET ro",
            "tacacs-server key 7 SECRET", " neighbor 192.0.2.1 password 7 SECRET", "ntp authentication-key 1 md5 7 SECRET",
            "   shared-key SECRET",
        ],
        ["frr"] =
        [
            " neighbor 192.0.2.1 password SECRET", "password 8 SECRET", "enable password SECRET",
            " ip ospf message-digest-key 1 md5 SECRET", "  key-string SECRET", " ip ospf authentication-key SECRET",
        ],
        ["bird"] = ["  password \"SECRET\";", "  password 'SECRET';", "  password SECRET;"],
        ["linux"] =
        [
            " rocommunity SECRET default", " createUser ann SHA SECRET AES SECRET", " 1 SHA256 SECRET", " wpa-psk SECRET",
            " PrivateKey=SECRET", " PrivateKey = SECRET", " PresharedKey = SECRET",
        ],
        ["openvswitch"] = ["   options:psk SECRET"],
    };

    public static TheoryData<string> PlatformNames => [.. _lines.Keys];

    [Theory]
    [MemberData(nameof(PlatformNames))]
    public async Task Secret_of_a_platform_is_in_no_answer_to_a_viewer_and_an_admin_gets_it_on_the_record(string platform)
    {
        var (tenant, devices) = await fixture.Tenant(platform: platform);
        using var viewer = await fixture.Runs.Host.CreateKey(tenant, MemberRole.Viewer);
        string[] planted = [$"qK7{Guid.NewGuid():n}", $"zW2{Guid.NewGuid():n}"];
        foreach (var secret in planted)
        {
            var text = "hostname r1\n" + string.Join('\n', _lines[platform].Select(line => line.Replace("SECRET", secret))) + "\n";
            await fixture.Keep(tenant, devices[0], text, platform: platform);
        }

        var configs = await HistoryFixture.Configs(viewer, devices[0]);
        var at = $"/v1/devices/{devices[0]}/configs";
        var answers = new List<Answer>
        {
            await viewer.Call("GET", at), await viewer.Call("GET", $"{at}/{configs[0].Id()}"),
            await viewer.Call("GET", $"{at}:diff?from={configs[1].Id()}&to={configs[0].Id()}"),
            await viewer.Call("GET", "/v1/configs:search?regex=."), await viewer.Call("GET", "/v1/configs:search?q=***"),
            await viewer.Call("GET", "/v1/export"), await viewer.Call("GET", "/v1/feed"), await viewer.Call("GET", "/v1/audit"),
        };
        foreach (var answer in answers)
        {
            answer.Must(HttpStatusCode.OK);
            planted.ShouldAllBe(secret => !answer.Text.Contains(secret, StringComparison.Ordinal));
        }

        // A part of it is not found either, and a change of it is seen.
        foreach (var part in new[] { $"q={planted[1]}", $"q={planted[1][..5]}", $"regex={planted[1][..4]}.*" })
        {
            (await viewer.Call("GET", $"/v1/configs:search?{part}")).Json.GetProperty("items").GetArrayLength().ShouldBe(0, part);
        }

        answers[2].Json.Number("linesAdded").ShouldBe(_lines[platform].Length);
        answers[2].Json.Word("diff").Split('\n').Count(line => line.StartsWith('+') && line.Contains("***"))
            .ShouldBe(_lines[platform].Length);
        (await viewer.Call("GET", $"{at}/{configs[0].Id()}?raw=true")).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("role_insufficient");
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[0], raw: true)).ShouldContain(planted[1]);
        var read = (await viewer.Call("GET", "/v1/audit")).Json.GetProperty("items").EnumerateArray()
            .Single(entry => entry.Word("action") == "config.read_raw");
        (read.Word("subject"), read.Word("member")).ShouldBe((configs[0].Id(), "test"));
    }

    [Fact]
    public async Task Device_that_became_another_platform_shows_no_secret_of_the_one_before()
    {
        var (tenant, devices) = await fixture.Tenant(platform: "ios");
        await fixture.Keep(tenant, devices[0], "snmp-server community planted-one RO\n", platform: "ios");
        (await tenant.Client.Call("PATCH", $"/v1/devices/{devices[0]}", new { platform = "frr" }, "*")).Must(HttpStatusCode.OK);
        await fixture.Keep(tenant, devices[0], "password planted-two\n", platform: "frr");

        foreach (var config in await HistoryFixture.Configs(tenant.Client, devices[0]))
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], config)).ShouldNotContain("planted");
        }
    }

    /// <summary>The engine's own lines of secrets, and what it makes of them.</summary>
    [Fact]
    public async Task Service_masks_what_the_engine_masks()
    {
        const string program =
            """
            import importlib.util, json, pathlib, sys
            root = pathlib.Path(sys.argv[1])
            source = (root / "tests/blocks/masks.py").read_text().replace("sys.exit(main())", "").replace("__file__", "MASKS")
            names = {"MASKS": str(root / "tests/blocks/masks.py"), "__name__": "masks"}
            exec(compile(source, "masks.py", "exec"), names)
            print(json.dumps([[platform, line, names["tree"].grammar(names["folder"](platform)).masked(line)]
                              for texts in (names["WITH"], names["WITHOUT"]) for platform, text in texts.items()
                              for line in text.split("\n")]))
            """;
        var start = new ProcessStartInfo("/usr/bin/python3", ["-B", "-c", program, PostgresServer.RepositoryRoot()])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        };
        using var python = Process.Start(start)!;
        var rows = JsonSerializer.Deserialize<string[][]>(await python.StandardOutput.ReadToEndAsync())!;
        await python.WaitForExitAsync();

        rows.Length.ShouldBeGreaterThan(200);
        await using var scope = fixture.Runs.Host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        var masks = scope.ServiceProvider.GetRequiredService<SecretMasks>();
        foreach (var platform in rows.GroupBy(row => row[0]))
        {
            var mask = await masks.Of(db, [platform.Key], CancellationToken.None);
            foreach (var row in platform)
            {
                mask.Line(row[1]).ShouldBe(row[2]);
            }
        }
    }
}
