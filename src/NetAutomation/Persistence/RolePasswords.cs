using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// Sets the passwords of the login roles that the configuration gives, as a managed database has no other way in for them. The server gets
/// verifiers and never the passwords, which its log of statements would show.
/// </summary>
internal static class RolePasswords
{
    // RFC 5802 and RFC 7677; the form of PostgreSQL's pg_authid.rolpassword, and its default count.
    private const int Iterations = 4096;
    private const int SaltBytes = 16;

    private static readonly (string Setting, string Role)[] _roles = [("AppPassword", "na_app"), ("SystemPassword", "na_system")];

    /// <summary>Returns the roles that got one.</summary>
    /// <exception cref="InvalidOperationException">A password that cannot be sent as it is.</exception>
    public static async Task<IReadOnlyList<string>> Set(string ownerConnection, IConfiguration settings, CancellationToken cancel)
    {
        (string Role, string Password)[] given =
            [.. _roles.Select(role => (role.Role, settings[role.Setting] ?? "")).Where(role => role.Item2.Length > 0)];
        if (given.Length == 0)
        {
            return [];
        }

        await using var source = NpgsqlDataSource.Create(ownerConnection);
        foreach (var (role, password) in given)
        {
            // A literal, since the statement takes no parameters; it is base64 with dollars and colons.
            await using var command = source.CreateCommand($"alter role {role} password '{Verifier(password, role)}'");
            await command.ExecuteNonQueryAsync(cancel);
        }

        return [.. given.Select(role => role.Role)];
    }

    private static string Verifier(string password, string role)
    {
        // Other characters are prepared before they are hashed (RFC 4013), by each client in its own way.
        if (!password.All(letter => letter is > ' ' and <= '~'))
        {
            throw new InvalidOperationException($"The password of {role} may have printable ASCII characters only, without spaces.");
        }

        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
#pragma warning disable S5344 // The passwords are made by a machine, and each connection pays for the iterations.
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.ASCII.GetBytes(password), salt, Iterations, HashAlgorithmName.SHA256, 32);
#pragma warning restore S5344
        var stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var server = HMACSHA256.HashData(salted, "Server Key"u8);
        return $"SCRAM-SHA-256${Iterations}:{Convert.ToBase64String(salt)}"
            + $"${Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}";
    }
}
