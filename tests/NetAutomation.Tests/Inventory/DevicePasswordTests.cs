using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Inventory;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

/// <summary>Passwords of one device alone: which one counts, and for how long.</summary>
public sealed class DevicePasswordTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private DeviceAccess Access => shared.Host.Services.GetRequiredService<DeviceAccess>();

    [Fact]
    public async Task Pending_password_stands_beside_the_one_that_counts_until_it_is_settled()
    {
        var mine = await Inventories.Create(shared);
        var device = await Device(mine, "r1", "192.0.2.1");
        var neighbour = await Device(mine, "r2", "192.0.2.2");

        var id = await Pend(mine, device, "n3w-secret");
        (await Seen(mine, device)).ShouldBe(("s3cret", "n3w-secret", false, true));
        await Settle(mine, id, holds: true);
        (await Seen(mine, device)).ShouldBe(("n3w-secret", null, true, false));
        (await Seen(mine, neighbour)).ShouldBe(("s3cret", null, false, false));

        var next = await Pend(mine, device, "third-secret");
        (await Seen(mine, device)).ShouldBe(("n3w-secret", "third-secret", true, true));
        await Settle(mine, next, holds: false);
        (await Seen(mine, device)).ShouldBe(("n3w-secret", null, true, false));
        var last = await Pend(mine, device, "fourth-secret");
        await Settle(mine, last, holds: true);
        (await Seen(mine, device)).ShouldBe(("fourth-secret", null, true, false));
        (await mine.Client.Call("DELETE", $"/v1/devices/{device}", null, "*")).Must(HttpStatusCode.NoContent);
        (await Count(mine)).ShouldBe(0);
    }

    [Fact]
    public async Task What_was_seen_before_a_password_was_given_again_settles_nothing()
    {
        var mine = await Inventories.Create(shared);
        var device = await Device(mine, "r1", "192.0.2.1");
        var earlier = await Pend(mine, device, "n3w-secret");
        var later = await Pend(mine, device, "n3w-secret");

        await Settle(mine, earlier, holds: false);
        await Settle(mine, earlier, holds: true);
        (await Seen(mine, device)).ShouldBe(("s3cret", "n3w-secret", false, true));
        await Settle(mine, later, holds: true);
        await Settle(mine, later, holds: false);
        (await Seen(mine, device)).ShouldBe(("n3w-secret", null, true, false));
    }

    [Theory]
    [InlineData("password")]
    [InlineData("username")]
    [InlineData("device")]
    [InlineData("import")]
    public async Task What_the_customer_gives_ends_the_passwords_of_the_device(string gives)
    {
        var mine = await Inventories.Create(shared);
        var device = await Device(mine, "r1", "192.0.2.1");
        var held = await Pend(mine, device, "n3w-secret");
        await Settle(mine, held, holds: true);
        var id = await Pend(mine, device, "third-secret");
        var other = (await mine.Client.Call(
            "POST", "/v1/credentials", new { name = "other", username = "admin", kind = "password", password = "0ther" }))
            .Must(HttpStatusCode.Created).Id;

        var credential = $"/v1/credentials/{mine.Credential}";
        var answer = gives switch
        {
            "password" => await mine.Client.Call("PATCH", credential, new { password = "g1ven" }, "*"),
            "username" => await mine.Client.Call("PATCH", credential, new { username = "root" }, "*"),
            "device" => await mine.Client.Call("PATCH", $"/v1/devices/{device}", new { credentialId = other }, "*"),
            _ => await mine.Client.Call(
                "POST", "/v1/devices:import", new StringContent("name,credential\nr1,other\n", Encoding.UTF8, "text/csv")),
        };

        answer.Must(HttpStatusCode.OK);
        // A run that is under way comes too late with its proof.
        await Settle(mine, id, holds: true);
        (await Seen(mine, device)).ShouldBe(
            (gives switch { "password" => "g1ven", "username" => "s3cret", _ => "0ther" }, null, false, false));
        if (gives == "device")
        {
            answer.Json.GetProperty("passwordRotatedAt").ValueKind.ShouldBe(JsonValueKind.Null);
            (await mine.Client.Call("PATCH", $"/v1/devices/{device}", new { enabled = false }, answer.ETag)).Must(HttpStatusCode.OK);
            (await mine.Client.Call("PATCH", $"/v1/devices/{device}", new { credentialId = mine.Credential }, "*")).Must(HttpStatusCode.OK);
            (await Seen(mine, device)).ShouldBe(("s3cret", null, false, false));
        }
    }

    [Fact]
    public async Task Another_name_or_enable_password_of_the_credential_ends_no_password_of_a_device()
    {
        var mine = await Inventories.Create(shared);
        var credential = (await mine.Client.Call(
            "POST", "/v1/credentials",
            new { name = "enable", username = "admin", kind = "enable", password = "s3cret", enablePassword = "s3cret-too" }))
            .Must(HttpStatusCode.Created).Id;
        var device = await Device(mine with { Credential = credential }, "r1", "192.0.2.1");
        var id = await Pend(mine, device, "n3w-secret");
        await Settle(mine, id, holds: true);

        (await mine.Client.Call("PATCH", $"/v1/credentials/{credential}", new { name = "e", enablePassword = "an0ther" }, "*"))
            .Must(HttpStatusCode.OK);

        (await Seen(mine, device)).ShouldBe(("n3w-secret", null, true, false));
    }

    [Fact]
    public async Task Password_opens_on_its_own_device_and_for_its_own_tenant_only()
    {
        var (mine, theirs) = (await Inventories.Create(shared), await Inventories.Create(shared));
        var (device, other) = (await Device(mine, "r1", "192.0.2.1"), await Device(mine, "r2", "192.0.2.2"));
        var id = await Pend(mine, device, "n3w-secret");

        (await Count(theirs)).ShouldBe(0);
        await Settle(theirs, id, holds: true);
        (await Seen(mine, device)).ShouldBe(("s3cret", "n3w-secret", false, true));
        (await mine.In(db => db.Scalar<string>(
            $"select string_agg(p::text, ' ') as \"Value\" from inventory.device_password p"))).ShouldNotBeNull().ShouldNotContain("n3w");
        await mine.In(db => db.Execute($"update inventory.device_password set device_id = {other.Value}"));
        await Should.ThrowAsync<CryptographicException>(() => Seen(mine, other));
    }

    private static async Task<DeviceId> Device(Inventories mine, string name, string address) =>
        DeviceId.Parse((await mine.Add(name, address)).Must(HttpStatusCode.Created).Id);

    /// <summary>As a run does before it dials. Returns the id of the pending password.</summary>
    private Task<Guid> Pend(Inventories mine, DeviceId device, string password) => mine.In(async db =>
    {
        DeviceAccess.Hold(db, [device]);
        using var login = (await Access.Open(db, [device]))[0];
        await Access.Pend(db, mine.Tenant.Id, [login], "admin", password, new HashSet<DeviceId>());
        return login.Pending!.Id;
    });

    private static Task<bool> Settle(Inventories mine, Guid id, bool holds) => mine.In(db =>
    {
        DeviceAccess.Settle(db, mine.Tenant.Id, new PasswordVerdict(id, holds));
        return Task.FromResult(true);
    });

    /// <summary>The passwords that a login uses, and what the device shows of them.</summary>
    private async Task<(string Password, string? Pending, bool ShowsRotated, bool ShowsPending)> Seen(Inventories mine, DeviceId device)
    {
        using var login = (await mine.In(db => Access.Open(db, [device])))[0];
        var shown = (await mine.Client.Call("GET", $"/v1/devices/{device}")).Must(HttpStatusCode.OK).Json;
        return (
            login.Password!.Reveal(), login.Pending?.Text.Reveal(),
            shown.GetProperty("passwordRotatedAt").ValueKind != JsonValueKind.Null,
            shown.GetProperty("passwordPendingSince").ValueKind != JsonValueKind.Null);
    }

    private static Task<long> Count(Inventories mine) =>
        mine.In(db => db.Scalar<long>($"select count(*) as \"Value\" from inventory.device_password"));
}
