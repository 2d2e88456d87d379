using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NetAutomation.Tests.Support;

namespace NetAutomation.Bench;

/// <summary>
/// Devices and the paths to them through two processes on loopback. <see cref="Product"/>: TCP to the service's process, where a device
/// port dials for a running run; TLS and HTTP/2 to the connector; TCP. <see cref="Ssh"/>: TCP to sshd; SSH with its fastest cipher; TCP.
/// <see cref="SshDefaults"/>: the same with OpenSSH's defaults. <see cref="Relay"/>: TCP throughout, through two relays that copy as the
/// product does. <see cref="Direct"/>: no process in between.
/// </summary>
internal sealed class TunnelFixture : IDisposable
{
    private const int DeviceCount = 6;

    // The fastest cipher of OpenSSH on this hardware, and the one that TLS uses.
    private const string Cipher = "aes128-gcm@openssh.com";
    private readonly Devices _devices = new(DeviceCount);

    private TunnelFixture()
    {
    }

    public DevicePath Product { get; private set; } = null!;

    public DevicePath Ssh { get; private set; } = null!;

    public DevicePath SshDefaults { get; private set; } = null!;

    public DevicePath Relay { get; private set; } = null!;

    public DevicePath Direct { get; private set; } = null!;

    /// <summary>The service's process.</summary>
    public Process Service { get; private set; } = null!;

    public Process Connector { get; private set; } = null!;

    public int ConnectorPort { get; private set; }

    public Guid Tenant { get; } = Guid.CreateVersion7();

    public Guid Site { get; } = Guid.CreateVersion7();

    public static async Task<TunnelFixture> Start(Stack stack, int links = 1)
    {
        var fixture = new TunnelFixture();
        await fixture.StartProduct(stack, links);
        await fixture.StartSsh(stack);
        await fixture.StartRelay(stack);
        fixture.Direct = new DevicePath("direct", [.. fixture._devices.Ports], () => []);
        foreach (var path in new[] { fixture.Product, fixture.Ssh, fixture.SshDefaults, fixture.Relay })
        {
            await path.Ready();
        }

        return fixture;
    }

    public void Dispose() => _devices.Dispose();

    /// <summary>Creates a connector of the site that may join with this token.</summary>
    public async Task<string> Enrol(Stack stack)
    {
        var token = $"njt_{Convert.ToHexString(RandomNumberGenerator.GetBytes(20))}";
        await stack.Sql(
            """
            with c as (insert into connectors.connector (tenant_id, id, site_id, name) values ($1, $2, $3, $2::text) returning 1)
            insert into connectors.join_token (tenant_id, sha256, connector_id, expires_at) values ($1, $4, $2, now() + interval '1 hour')
            """,
            Tenant, Guid.CreateVersion7(), Site, SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        return token;
    }

    private async Task StartProduct(Stack stack, int links)
    {
        Stack.Log("starting service, connector and database");
        await stack.CreateDatabase();
        var (device, run, ports) =
            (Guid.CreateVersion7(), Guid.CreateVersion7(),
                _devices.Ports.Select(port => new[] { Ports.Free(), port }).ToArray());
        await stack.Sql("insert into onboarding.tenant (tenant_id, name, state) values ($1, 'bench', 'active')", Tenant);
        await stack.Sql("insert into inventory.site (tenant_id, id, name, version) values ($1, $2, 'bench', 1)", Tenant, Site);
        // A run that never ends. Its order and its payment do not matter to its streams.
        await stack.Sql(
            """
            set session_replication_role = replica;
            insert into runs.run (tenant_id, id, state, terminal, transition, attempt, fence, quote_id, block, version, digest, effect,
                                  mode, targets, input, input_hash, timeout_seconds, ceiling_micros, created_by)
              values ('{0}', '{2}', 'running', false, 1, 1, 1, '{2}', 'bench', '1', '', 'unsafe', 'apply', '{{}}', '{{}}', '', 86400,
                      0, '{2}');
            insert into runs.device_hold (tenant_id, device_id, run_id, exclusive, fence) values ('{0}', '{1}', '{2}', 1, 1);
            set session_replication_role = origin;
            """.Replace("{{}}", "{}", StringComparison.Ordinal)
                .Replace("{0}", $"{Tenant}", StringComparison.Ordinal)
                .Replace("{1}", $"{device}", StringComparison.Ordinal)
                .Replace("{2}", $"{run}", StringComparison.Ordinal));
        ConnectorPort = Ports.Free();
        Service =
            await stack.StartWithBenchSettings(
                new { Tenant, Site, Device = device, Run = run, Ports = ports }, $"Connectors:Listener=127.0.0.1:{ConnectorPort}");
        Connector = await StartConnector(stack, links);
        Product = new DevicePath("product", [.. ports.Select(pair => pair[0])], () => [Service.Id, Connector.Id]);
    }

    private async Task<Process> StartConnector(Stack stack, int links)
    {
        var (token, list, state) =
            (stack.File("join-token", await Enrol(stack)),
                stack.File("allow-list", string.Join('\n', _devices.Ports.Select(port => $"127.0.0.1/32 {port}"))),
                stack.File("connector"));
        await stack.Finish(
            stack.Parts.Connector, "join", "--endpoint", $"nowhere.invalid:{ConnectorPort}", "--address", "127.0.0.1", "--server-name",
            NetAutomation.Bench.Stack.ServerName, "--ca", stack.File("api/ca.pem"),
            "--token-file", token, "--state", state);
        var (connector, _) = await stack.Launch(
            stack.Parts.Connector,
            ["run", "--state", state, "--allow-list", list, "--links", links.ToString(CultureInfo.InvariantCulture), "--device-sessions",
                "256", "--device-rate", "1000", "--rate", "10000"],
            "attached session");
        return connector;
    }

    /// <summary>Starts both ends of OpenSSH with their own keys and settings.</summary>
    private async Task StartSsh(Stack stack)
    {
        Stack.Log("starting sshd and ssh -R");
        var port = Ports.Free();
        foreach (var key in new[] { "ssh-host", "ssh-user" })
        {
            await stack.Finish("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stack.File(key));
        }

        var settings = stack.File("sshd.conf",
            $"""
            ListenAddress 127.0.0.1
            Port {port}
            HostKey {stack.File("ssh-host")}
            AuthorizedKeysFile {stack.File("ssh-user.pub")}
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin prohibit-password

            """);
        // sshd's chroot for sessions before authentication, which it needs if root starts it.
        if (Environment.IsPrivilegedProcess)
        {
            Directory.CreateDirectory("/run/sshd");
        }

        var known = stack.File("known-hosts", $"[127.0.0.1]:{port} {(await File.ReadAllTextAsync(stack.File("ssh-host.pub"))).Trim()}\n");
        var (server, _) = await stack.Launch("/usr/sbin/sshd", ["-D", "-e", "-f", settings], "Server listening");
        Ssh = await Reverse("ssh", "-c", Cipher);
        SshDefaults = await Reverse("ssh defaults");

        async Task<DevicePath> Reverse(string name, params string[] options)
        {
            var forwarded = _devices.Ports.Select(device => (Local: Ports.Free(), Device: device)).ToList();
            var (client, _) = await stack.Launch(
                "ssh",
                [
                    "-N", "-T", "-F", "/dev/null", "-i", stack.File("ssh-user"), "-p", port.ToString(CultureInfo.InvariantCulture), "-o",
                    $"UserKnownHostsFile={known}", "-o", "ExitOnForwardFailure=yes",
                    .. options,
                    .. forwarded.SelectMany(
                        each =>
                            new[] { "-R", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{each.Local}:127.0.0.1:{each.Device}") }),
                            $"{Environment.UserName}@127.0.0.1",
                ],
                null);
            return new DevicePath(name, [.. forwarded.Select(each => each.Local)], () => ProcessFigures.Tree(server.Id).Append(client.Id));
        }
    }

    private async Task StartRelay(Stack stack)
    {
        var chain =
            _devices.Ports.Select(
                device => (Local: Ports.Free(), Middle: Ports.Free(), Device: device))
                    .ToList();
        var (second, _) = await stack.Launch(stack.Inside, ["relay", .. chain.Select(each => $"{each.Middle}:{each.Device}")], "ready");
        var (first, _) = await stack.Launch(stack.Inside, ["relay", .. chain.Select(each => $"{each.Local}:{each.Middle}")], "ready");
        Relay = new DevicePath("relay", [.. chain.Select(each => each.Local)], () => [first.Id, second.Id]);
    }
}
