using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Rules;
using NetAutomation.Inventory.Seal;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

/// <summary>A login to devices, or a secret that blocks put on them. The secret itself is never shown again.</summary>
/// <param name="Id">The credential.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="Username">Login name; empty where it is no login.</param>
/// <param name="Kind">Which secrets it holds.</param>
/// <param name="EnableLevel">The privilege level that kind <c>enable</c> asks for; null for the highest.</param>
/// <param name="Fingerprint">Keyed hash of the secrets (HMAC under the tenant's own key): the same for the same secrets, and of no use to
/// anyone else.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="RotatedAt">When the secrets were last replaced.</param>
public sealed record CredentialResource(
    CredentialId Id, string Name, string Username, LoginKind Kind, int? EnableLevel, string Fingerprint, DateTimeOffset CreatedAt,
    DateTimeOffset RotatedAt)
{
    internal static readonly Resource<CredentialKind, Credential, CredentialResource> Rows = new(
        "credential", "/v1/credentials",
        row => new CredentialResource(
            row.Id, row.Name, row.Username, row.Kind, row.EnableLevel, row.Fingerprint, row.CreatedAt, row.RotatedAt),
        Problems.CredentialInUse, ("credential_name", Problems.CredentialNameTaken));
}

/// <summary>
/// A new credential. Kind <c>password</c> takes a password, <c>ssh_key</c> a private key, <c>enable</c> either of them, or both, and an
/// enable password where the device asks for one. Kind <c>secret</c> is no login: it takes a password, which blocks put on devices, and no
/// user name.
/// </summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Kind">Which secrets it holds.</param>
/// <param name="Username">Login name; needed unless the kind is <c>secret</c>.</param>
/// <param name="Password">Login password, or the secret.</param>
/// <param name="PrivateKey">SSH private key, PEM or OpenSSH.</param>
/// <param name="Passphrase">Opens the private key.</param>
/// <param name="EnablePassword">Password of the privileged mode.</param>
/// <param name="Answers">Answers to further questions of the login, at most 8.</param>
/// <param name="EnableLevel">The privilege level that kind <c>enable</c> asks for, 1 to 15; absent: the highest.</param>
public sealed record CreateCredentialRequest(
    string Name, LoginKind Kind, string? Username = null, Secret? Password = null, Secret? PrivateKey = null, Secret? Passphrase = null,
    Secret? EnablePassword = null, IReadOnlyList<LoginAnswer>? Answers = null, int? EnableLevel = null)
{
    internal LoginSecrets Secrets() => new(Password, PrivateKey, Passphrase, EnablePassword, Answers ?? []);
}

/// <summary>
/// Changes to a credential; absent members stay. A passphrase goes with its key: with a new key, an absent one means none.
/// </summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Username">Login name.</param>
/// <param name="Password">Login password.</param>
/// <param name="PrivateKey">SSH private key, PEM or OpenSSH.</param>
/// <param name="Passphrase">Opens the private key.</param>
/// <param name="EnablePassword">Password of the privileged mode.</param>
/// <param name="Answers">Answers to further questions of the login, at most 8.</param>
/// <param name="EnableLevel">The privilege level that kind <c>enable</c> asks for, 1 to 15.</param>
public sealed record ChangeCredentialRequest(
    string? Name = null, string? Username = null, Secret? Password = null, Secret? PrivateKey = null, Secret? Passphrase = null,
    Secret? EnablePassword = null, IReadOnlyList<LoginAnswer>? Answers = null, int? EnableLevel = null)
{
    internal bool HasSecrets => Password is not null || PrivateKey is not null || Passphrase is not null || EnablePassword is not null
        || Answers is not null;

    internal LoginSecrets Over(LoginSecrets old) => new(
        Password ?? old.Password, PrivateKey ?? old.PrivateKey, PrivateKey is null ? Passphrase ?? old.Passphrase : Passphrase,
        EnablePassword ?? old.Enable, Answers ?? old.Answers);
}

/// <summary>Which secrets go with which kind.</summary>
internal static class CredentialRules
{
    private const int LongestPassword = 1024;
    private const int MostAnswers = 8;
    private const int ShortestSecret = 6;

    public static List<ProblemError> Faults(string name, string? username, LoginKind kind, int? enableLevel, LoginSecrets? secrets)
    {
        List<ProblemError> faults = [.. ShownText.NameFaults(name, "/name"), .. UsernameFaults(username, kind)];
        if (enableLevel is not null && kind != LoginKind.Enable)
        {
            faults.Add(new ProblemError("/enableLevel", "not_of_kind", "Credentials of this kind have no such member."));
        }
        else if (enableLevel is < 1 or > 15)
        {
            faults.Add(new ProblemError("/enableLevel", "out_of_range", "A privilege level is 1 to 15."));
        }

        if (secrets is not null)
        {
            var (enables, hasKey) = (kind == LoginKind.Enable, secrets.PrivateKey is not null);
            Check(faults, "/password", secrets.Password, needed: kind is LoginKind.Password or LoginKind.Secret || (enables && !hasKey),
                allowed: kind != LoginKind.SshKey);
            Check(faults, "/privateKey", secrets.PrivateKey, needed: kind == LoginKind.SshKey,
                allowed: enables || kind == LoginKind.SshKey);
            Check(faults, "/passphrase", secrets.Passphrase, needed: hasKey && PrivateKeys.IsEncrypted(secrets.PrivateKey!.Utf8()),
                allowed: kind == LoginKind.SshKey || (enables && hasKey));
            Check(faults, "/enablePassword", secrets.Enable, needed: false, allowed: enables);
            // A shorter one is masked wherever its letters stand, and nothing would be left to read.
            if (kind == LoginKind.Secret && secrets.Password is { } text && text.Utf8().Length < ShortestSecret)
            {
                faults.Add(new ProblemError("/password", "length", $"A secret has at least {ShortestSecret} characters."));
            }

            if (kind == LoginKind.Secret && secrets.Answers.Count > 0)
            {
                faults.Add(new ProblemError("/answers", "not_of_kind", "Credentials of this kind have no such member."));
            }

            Check(faults, secrets.Answers);
        }

        return faults;
    }

    private static IEnumerable<ProblemError> UsernameFaults(string? username, LoginKind kind) => (username, kind) switch
    {
        (null or "", LoginKind.Secret) => [],
        (_, LoginKind.Secret) => [new ProblemError("/username", "not_of_kind", "Credentials of this kind have no such member.")],
        (null, _) => [new ProblemError("/username", "required", "Credentials of this kind need it.")],
        ({ } given, _) => Names.UsernameFaults(given, "/username"),
    };

    private static void Check(List<ProblemError> faults, IReadOnlyList<LoginAnswer> answers)
    {
        if (answers.Count > MostAnswers)
        {
            faults.Add(new ProblemError("/answers", "max_items", $"At most {MostAnswers} answers."));
            return;
        }

        for (var i = 0; i < answers.Count; i++)
        {
            faults.AddRange(Patterns.Faults(answers[i].Pattern, $"/answers/{i}/pattern"));
            Check(faults, $"/answers/{i}/answer", answers[i].Answer, needed: true, allowed: true);
        }
    }

    private static void Check(List<ProblemError> faults, string at, Secret? secret, bool needed, bool allowed)
    {
        if (secret is null)
        {
            if (needed)
            {
                faults.Add(new ProblemError(
                    at, "required", at == "/passphrase" ? "The private key is encrypted." : "Credentials of this kind need it."));
            }
        }
        else if (!allowed)
        {
            faults.Add(new ProblemError(at, "not_of_kind", "Credentials of this kind have no such member."));
        }
        else if (at == "/privateKey" ? !PrivateKeys.Is(secret.Utf8()) : !IsPassword(secret.Utf8()))
        {
            faults.Add(
                new ProblemError(
                    at, "pattern",
                    at == "/privateKey" ? "A PEM or OpenSSH private key." : $"1 to {LongestPassword} bytes without control characters."));
        }
    }

    private static bool IsPassword(ReadOnlySpan<byte> text) => text.Length is > 0 and <= LongestPassword
        && !text.ContainsAnyInRange((byte)0, (byte)31) && !text.Contains((byte)127);
}
