using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Inventory;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Inventory;

public sealed class CredentialsTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private const string Key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";

    // Its lines are short enough to stand in any text, or too short to be found again.
    private const string ShortLines =
        "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAB\nAAAA\n-----END PRIVATE KEY-----\n";

    // The beginnings of keys that ssh-keygen and openssl have encrypted.
    private const string EncryptedKey =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDxYq\n"
        + "-----END OPENSSH PRIVATE KEY-----\n";

    private const string EncryptedPem =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";

    private const string EncryptedPkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";

    [Fact]
    public async Task Secret_is_never_shown_and_rotation_changes_the_fingerprint()
    {
        var mine = await Inventories.Create(shared);
        var path = $"/v1/credentials/{mine.Credential}";
        var first = (await mine.Client.Call("GET", path)).Must(HttpStatusCode.OK);
        first.Text.ShouldNotContain("s3cret");
        var same = (await mine.Client.Call("PATCH", path, new { password = "s3cret" }, first.ETag)).Must(HttpStatusCode.OK);
        var rotated = (await mine.Client.Call("PATCH", path, new { password = "n3w" }, same.ETag)).Must(HttpStatusCode.OK);
        Fingerprint(same).ShouldBe(Fingerprint(first));
        Fingerprint(rotated).ShouldNotBe(Fingerprint(first));
        (await mine.Client.Call("GET", "/v1/credentials")).Text.ShouldNotContain("n3w");
        var other = await Inventories.Create(shared);
        Fingerprint(await other.Client.Call("GET", $"/v1/credentials/{other.Credential}")).ShouldNotBe(Fingerprint(first));
        (await Stored(mine)).ShouldNotContain("n3w");
    }

    [Theory]
    [InlineData("password", null, null, null, null, "/password required")]
    [InlineData("password", "x", Key, null, null, "/privateKey not_of_kind")]
    [InlineData("password", "a\nb", null, null, null, "/password pattern")]
    [InlineData("password", "", null, null, null, "/password pattern")]
    [InlineData("ssh_key", null, null, null, null, "/privateKey required")]
    [InlineData("ssh_key", null, "ssh-ed25519 AAAA", null, null, "/privateKey pattern")]
    [InlineData("ssh_key", null, "-----BEGIN PRIVATE KEY-----\nAAAA\n", null, null, "/privateKey pattern")]
    [InlineData("ssh_key", null, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", null, null, "/privateKey pattern")]
    [InlineData("ssh_key", null, "-----BEGIN PRIVATE KEY-----\nA-A\n-----END PRIVATE KEY-----\n", null, null, "/privateKey pattern")]
    [InlineData("ssh_key", null, ShortLines, null, null, "/privateKey pattern")]
    [InlineData("ssh_key", null, Key + Key, null, null, "/privateKey pattern")]
    [InlineData("ssh_key", "x", Key, null, null, "/password not_of_kind")]
    [InlineData("ssh_key", null, EncryptedKey, null, null, "/passphrase required")]
    [InlineData("ssh_key", null, EncryptedPem, null, null, "/passphrase required")]
    [InlineData("ssh_key", null, EncryptedPkcs8, null, null, "/passphrase required")]
    [InlineData("ssh_key", null, Key, null, "x", "/enablePassword not_of_kind")]
    [InlineData("enable", null, null, null, "x", "/password required")]
    [InlineData("enable", "x", null, "y", null, "/passphrase not_of_kind")]
    [InlineData("password", "x", null, "y", null, "/passphrase not_of_kind")]
    public async Task Secrets_must_fit_the_kind(
        string kind, string? password, string? privateKey, string? passphrase, string? enablePassword, string fault)
    {
        var mine = await Inventories.Create(shared);
        var answer =
            await mine.Client.Call(
                "POST", "/v1/credentials", new { name = "x", username = "u", kind, password, privateKey, passphrase, enablePassword });
        answer.Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe([fault]);
    }

    [Fact]
    public async Task Secret_for_blocks_has_no_login_name_and_is_no_login()
    {
        var mine = await Inventories.Create(shared);
        var secret = (await mine.Client.Call("POST", "/v1/credentials", new { name = "md5", kind = "secret", password = "md5-key-1" }))
            .Must(HttpStatusCode.Created);
        (await mine.Client.Call("PATCH", secret.Location!, new { password = "md5-key-2" }, secret.ETag)).Must(HttpStatusCode.OK);

        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", username = "u", kind = "secret", password = "md5-key-3" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/username not_of_kind"]);
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", kind = "secret" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/password required"]);
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", kind = "password", password = "p" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/username required"]);
        (await mine.Client.Call(
            "POST", "/v1/devices",
            new { name = "r1", siteId = mine.Site, address = "10.0.0.1", platform = "frr", credentialId = secret.Id }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/credentialId unknown_credential"]);
    }

    [Theory]
    [InlineData("enable", 0, "out_of_range")]
    [InlineData("enable", 16, "out_of_range")]
    [InlineData("password", 7, "not_of_kind")]
    public async Task Privilege_level_that_no_login_of_the_kind_can_have_is_refused(string kind, int enableLevel, string fault)
    {
        var mine = await Inventories.Create(shared);
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", username = "u", kind, password = "x", enableLevel }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe([$"/enableLevel {fault}"]);
    }

    [Fact]
    public async Task Answers_of_a_login_are_checked_each()
    {
        var mine = await Inventories.Create(shared);
        object[] answers =
        [
            new { pattern = "^Token: ?$", answer = "1234" }, new { pattern = "(a+)+$", answer = "1234" },
            new { pattern = "Pin", answer = "" },
        ];
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", username = "u", kind = "password", password = "x", answers }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/answers/1/pattern pattern", "/answers/2/answer pattern"]);
        answers = [.. Enumerable.Range(0, 9).Select(i => new { pattern = $"{i}", answer = "a" })];
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", username = "u", kind = "password", password = "x", answers }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/answers max_items"]);
    }

    [Theory]
    [InlineData("-oProxyCommand=x")]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("{{x}}")]
    public async Task Login_name_that_a_command_would_read_is_refused(string username)
    {
        var mine = await Inventories.Create(shared);
        (await mine.Client.Call("POST", "/v1/credentials", new { name = "x", username, kind = "password", password = "x" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/username pattern"]);
    }

    [Fact]
    public async Task A_worker_opens_stored_credentials()
    {
        var mine = await Inventories.Create(shared);
        var key =
            (await mine.Client.Call(
                "POST", "/v1/credentials", new { name = "k", username = "ops", kind = "ssh_key", privateKey = Key, passphrase = "p" }))
                    .Must(HttpStatusCode.Created).Id;
        var enable =
            (await mine.Client.Call(
                "POST", "/v1/credentials",
                new
                {
                    name = "e", username = "ena", kind = "enable", password = "p1", enablePassword = "p2", enableLevel = 7,
                    answers = new[] { new { pattern = "^Token", answer = "t1" }, new { pattern = "é", answer = "t2" } },
                }))
                    .Must(HttpStatusCode.Created).Id;
        var ids = new List<DeviceId>();
        foreach (var (name, credential) in new[] { ("a", mine.Credential), ("b", key), ("c", enable), ("d", mine.Credential) })
        {
            var device =
                await mine.Client.Call(
                    "POST", "/v1/devices",
                    new { name, siteId = mine.Site, address = $"{name}.example", platform = "frr", credentialId = credential });
            ids.Add(DeviceId.Parse(device.Must(HttpStatusCode.Created).Id));
        }

        var access = shared.Host.Services.GetRequiredService<DeviceAccess>();
        var logins = (await mine.In(db => access.Open(db, [.. ids, DeviceId.New()]))).ToDictionary(login => login.Name);
        logins.Count.ShouldBe(4);
        (logins["a"].Username, logins["a"].Password!.Reveal(), logins["a"].PrivateKey).ShouldBe(("admin", "s3cret", null));
        (logins["b"].PrivateKey!.Reveal(), logins["b"].Passphrase!.Reveal(), logins["b"].Password).ShouldBe((Key, "p", null));
        (logins["c"].Password!.Reveal(), logins["c"].Enable!.Reveal(), logins["c"].EnableLevel).ShouldBe(("p1", "p2", 7));
        logins["c"].Answers.Select(each => (each.Pattern, each.Answer.Reveal())).ShouldBe([("^Token", "t1"), ("é", "t2")]);
        logins.Values.Count(login => login.Enables).ShouldBe(1);
        (logins["c"].Address, logins["c"].Port, logins["c"].Platform, logins["c"].SiteId)
            .ShouldBe(("c.example", 22, "frr", SiteId.Parse(mine.Site)));
        logins["a"].Dispose();
        logins["d"].Password!.Reveal().ShouldBe("s3cret");
        $"{logins["d"]}".ShouldNotContain("s3cret");

        var other = await Inventories.Create(shared);
        (await other.In(db => access.Open(db, ids))).ShouldBeEmpty();
    }

    [Fact]
    public async Task Secret_moved_between_rows_or_tenants_does_not_open()
    {
        var (mine, other) = (await Inventories.Create(shared), await Inventories.Create(shared));
        var device = DeviceId.Parse((await mine.Add("r1", "10.0.0.1")).Id);
        await using var owner = NpgsqlDataSource.Create(shared.Database.Owner);
        await using var command = owner.CreateCommand(
            """
            update inventory.credential
            set (ct, nonce, wrapped_dek) = (select ct, nonce, wrapped_dek from inventory.credential where id = $1) where id = $2
            """);
        command.Parameters.Add(new() { Value = CredentialId.Parse(other.Credential).Value });
        command.Parameters.Add(new() { Value = CredentialId.Parse(mine.Credential).Value });
        (await command.ExecuteNonQueryAsync()).ShouldBe(1);
        var access = shared.Host.Services.GetRequiredService<DeviceAccess>();
        await Should.ThrowAsync<CryptographicException>(() => mine.In(db => access.Open(db, [device])));
    }

    [Fact]
    public async Task First_seen_host_key_is_pinned_and_another_is_not()
    {
        var mine = await Inventories.Create(shared);
        var device = DeviceId.Parse((await mine.Add("r1", "10.0.0.1")).Id);
        var (key, pin) = HostKey(1);
        var (otherKey, otherPin) = HostKey(2);
        (await mine.In(db => DeviceAccess.PinHostKey(db, device, pin, key))).ShouldBeTrue();
        (await mine.In(db => DeviceAccess.PinHostKey(db, device, pin, key))).ShouldBeTrue();
        (await mine.In(db => DeviceAccess.PinHostKey(db, device, otherPin, otherKey))).ShouldBeFalse();
        await Should.ThrowAsync<ArgumentException>(() => mine.In(db => DeviceAccess.PinHostKey(db, device, pin, otherKey)));
        var login = (await mine.In(db => shared.Host.Services.GetRequiredService<DeviceAccess>().Open(db, [device])))[0];
        (login.HostKeySha256, login.HostKey).ShouldBe((pin, key));
        var other = await Inventories.Create(shared);
        (await other.In(db => DeviceAccess.PinHostKey(db, device, pin, key))).ShouldBeFalse();
    }

    private static (string Key, string Pin) HostKey(byte seed)
    {
        byte[] blob = [0, 0, 0, 11, .. "ssh-ed25519"u8, seed];
        return ($"ssh-ed25519 {Convert.ToBase64String(blob)}", $"SHA256:{Convert.ToBase64String(SHA256.HashData(blob)).TrimEnd('=')}");
    }

    private static string Fingerprint(Answer answer) => answer.Json.GetProperty("fingerprint").GetString()!;

    private async Task<string> Stored(Inventories mine)
    {
        await using var owner = NpgsqlDataSource.Create(shared.Database.Owner);
        await using var command = owner.CreateCommand(
            """
            select (select string_agg(c::text || encode(ct, 'escape'), '') from inventory.credential c where tenant_id = $1)
              || (select string_agg(a::text, '') from web.audit_event a where tenant_id = $1)
            """);
        command.Parameters.Add(new() { Value = mine.Tenant.Id.Value });
        return (string)(await command.ExecuteScalarAsync())!;
    }
}
