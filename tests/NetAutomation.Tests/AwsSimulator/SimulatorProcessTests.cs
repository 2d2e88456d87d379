using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

public sealed class SimulatorProcessTests
{
    [Fact]
    public async Task Process_serves_until_it_is_terminated()
    {
        var config = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(
                config,
                """
                { "providerAccount": "111111111111", "accounts": [], "services": [{ "id": "vpce-svc-1", "allowedPrincipals": ["*"] }] }
                """);
            using var process = Run("--config", config, "--urls", "http://127.0.0.1:0", "--control-urls", "http://127.0.0.1:0");
            var ready = await process.StandardOutput.ReadLineAsync().WaitAsync(Eventually.Limit);
            ready.ShouldNotBeNull().ShouldStartWith("ready aws=http://127.0.0.1:");
            using var http = new HttpClient { BaseAddress = new Uri(ready[(ready.IndexOf("control=", StringComparison.Ordinal) + 8)..]) };
            (await http.GetFromJsonAsync<JsonElement>("/healthz")).GetProperty("status").GetString().ShouldBe("ok");
            using var refused = await http.PostAsJsonAsync("/control/endpoints", new { account = "12" });
            ((int)refused.StatusCode).ShouldBe(400);
            (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString()
                .ShouldBe("account must be a 12-digit account id.");

            using var kill = Process.Start("kill", ["-TERM", process.Id.ToString()]);
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
            process.ExitCode.ShouldBe(0);
        }
        finally
        {
            File.Delete(config);
        }
    }

    [Fact]
    public async Task Faulty_configuration_is_named_and_exits_with_2()
    {
        var config = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(config, """{ "providerAccount": "111111111111", "accounts": [], "servces": [] }""");
            using var process = Run("--config", config);
            (await process.StandardError.ReadToEndAsync()).ShouldContain("servces");
            await process.WaitForExitAsync();
            process.ExitCode.ShouldBe(2);
        }
        finally
        {
            File.Delete(config);
        }
    }

    [Fact]
    public async Task Help_is_printed()
    {
        using var process = Run("--help");
        (await process.StandardOutput.ReadToEndAsync()).ShouldContain("--control-urls URL");
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0);
    }

    private static Process Run(params string[] arguments) =>
        Process.Start(
            new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "NetAutomation.AwsSimulator.dll"), .. arguments])
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
}
