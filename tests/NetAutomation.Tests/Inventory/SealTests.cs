using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using NetAutomation.Inventory;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;

namespace NetAutomation.Tests.Inventory;

public sealed class SealTests
{
    private readonly TenantKey _key = new(1, RandomNumberGenerator.GetBytes(32));

    [Fact]
    public void Sealed_secret_opens_in_its_place_only()
    {
        var box = Envelope.Seal(_key, "ten_a|cre_a|1|1", "secret"u8);
        Encoding.UTF8.GetString(Envelope.Open(_key, "ten_a|cre_a|1|1", box)).ShouldBe("secret");
        foreach (var place in new[] { "ten_b|cre_a|1|1", "ten_a|cre_b|1|1", "ten_a|cre_a|2|1", "ten_a|cre_a|1|2" })
        {
            Should.Throw<CryptographicException>(() => Envelope.Open(_key, place, box));
        }

        Should.Throw<CryptographicException>(
            () => Envelope.Open(new TenantKey(1, RandomNumberGenerator.GetBytes(32)), "ten_a|cre_a|1|1", box));
    }

    [Fact]
    public void Every_flipped_bit_is_noticed()
    {
        var box = Envelope.Seal(_key, "place", "secret"u8);
        foreach (var bytes in new[] { box.Ct, box.Nonce, box.WrappedDek })
        {
            for (var bit = 0; bit < bytes.Length * 8; bit++)
            {
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                Should.Throw<CryptographicException>(() => Envelope.Open(_key, "place", box));
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Envelope.Open(_key, "place", box).ShouldBe("secret"u8.ToArray());
    }

    [Fact]
    public void Same_secret_never_seals_to_the_same_bytes_but_has_the_same_fingerprint()
    {
        using var secrets = new LoginSecrets(new Secret("one"u8.ToArray()), null, null, new Secret("two"u8.ToArray()), []);
        var (first, mark) = secrets.Seal(_key, "a");
        var (second, again) = secrets.Seal(_key, "b");
        second.Ct.ShouldNotBe(first.Ct);
        second.WrappedDek.ShouldNotBe(first.WrappedDek);
        again.ShouldBe(mark);
        using var other = new LoginSecrets(new Secret("onetwo"u8.ToArray()), null, null, new Secret([]), []);
        other.Seal(_key, "a").Fingerprint.ShouldNotBe(mark);
        using var key = new TenantKey(1, RandomNumberGenerator.GetBytes(32));
        secrets.Seal(key, "a").Fingerprint.ShouldNotBe(mark);
        using var open = LoginSecrets.Unpack(Envelope.Open(_key, "a", first));
        open.Password!.Reveal().ShouldBe("one");
        open.PrivateKey.ShouldBeNull();
        open.Enable!.Reveal().ShouldBe("two");
    }

    [Fact]
    public void Secret_is_read_but_never_written_or_printed()
    {
        var secret = JsonSerializer.Deserialize<Secret>("\"p\\u0040ss \\ud83d\\ude00\"")!;
        secret.Reveal().ShouldBe("p@ss 😀");
        $"{new LoginSecrets(secret, secret, null, null, [])}".ShouldNotContain("p@ss");
        Should.Throw<NotSupportedException>(() => JsonSerializer.Serialize(secret));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Secret>("\"\\ud800\""));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Secret>("\"a\\u0000\""));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Secret>("5"));
        secret.Dispose();
        secret.Utf8().ToArray().ShouldAllBe(b => b == 0);
    }

    [Fact]
    public async Task Root_key_is_made_once_for_its_owner_alone_and_wraps_for_one_tenant()
    {
        var folder = Directory.CreateTempSubdirectory("na-keys-");
        var directory = Path.Combine(folder.FullName, "keys");
        try
        {
            var providers = Enumerable.Range(0, 8).Select(_ => Provider(directory)).ToList();
            await Task.WhenAll(providers.Select(provider => Task.Run(() => provider.StartAsync(CancellationToken.None))));
            Directory.GetFiles(directory).ShouldBe([Path.Combine(directory, "root.key")]);
            File.GetUnixFileMode(Path.Combine(directory, "root.key")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);

            var (tenant, key) = (TenantId.New(), RandomNumberGenerator.GetBytes(32));
            var wrapped = await providers[0].Wrap(tenant, 1, key, CancellationToken.None);
            (await Unwrap(providers[7], tenant, 1)).ShouldBe(key);
            await Should.ThrowAsync<CryptographicException>(() => Unwrap(providers[0], TenantId.New(), 1));
            await Should.ThrowAsync<CryptographicException>(() => Unwrap(providers[0], tenant, 2));
            (await Should.ThrowAsync<CryptographicException>(() => Unwrap(Provider($"{directory}2"), tenant, 1)))
                .Message.ShouldContain("another root key");

            Task<byte[]> Unwrap(RootKeys provider, TenantId of, int version) =>
                provider.Unwrap(of, version, wrapped, CancellationToken.None);

            File.SetUnixFileMode(Path.Combine(directory, "root.key"), UnixFileMode.UserRead | UnixFileMode.GroupRead);
            await Should.ThrowAsync<InvalidOperationException>(() => Provider(directory).StartAsync(CancellationToken.None));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Ciphertext_moved_to_another_credential_does_not_open()
    {
        using var secrets = new LoginSecrets(new Secret("one"u8.ToArray()), null, null, null, []);
        var tenant = TenantId.New();
        var (first, second) = (Row(tenant), Row(tenant));
        first.Replace(secrets, _key, DateTimeOffset.UnixEpoch);
        second.Replace(secrets, _key, DateTimeOffset.UnixEpoch);
        foreach (var column in new[] { nameof(Credential.Ct), nameof(Credential.Nonce), nameof(Credential.WrappedDek) })
        {
            typeof(Credential).GetProperty(column)!.SetValue(second, typeof(Credential).GetProperty(column)!.GetValue(first));
        }

        first.Open(_key).ShouldNotBeEmpty();
        Should.Throw<CryptographicException>(() => second.Open(_key));
    }

    private static Credential Row(TenantId tenant) =>
        new(tenant, CredentialId.New(), LoginKind.Password, DateTimeOffset.UnixEpoch) { Name = "a", Username = "a" };

    private static RootKeys Provider(string directory) =>
        new(Options.Create(new InventoryOptions { KeyDirectory = directory }), new(() => throw new InvalidOperationException()));
}
