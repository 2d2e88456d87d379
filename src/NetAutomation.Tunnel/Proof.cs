using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace NetAutomation.Tunnel;

/// <summary>
/// A signed statement: base64url(JSON) "." base64url(ECDSA P-256 with SHA-256, IEEE P1363, RFC 7515 appendix A.3 style).
/// The signature covers the purpose, so a proof for one purpose is worthless for another.
/// </summary>
public static class Proof
{
    public static ECDsa CreateKey() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>Reads a public key (SubjectPublicKeyInfo, base64); null unless it is a P-256 key.</summary>
    public static ECDsa? ReadPublicKey(string base64)
    {
        var key = ECDsa.Create();
        try
        {
            var bytes = Convert.FromBase64String(base64);
            key.ImportSubjectPublicKeyInfo(bytes, out var read);
            if (read == bytes.Length && key.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value)
            {
                return key;
            }
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            // Not a key: the same answer as for a key of another curve.
        }

        key.Dispose();
        return null;
    }

    public static string PublicKey(ECDsa key) => Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());

    public static string Sign(ECDsa key, JoinStatement statement) => Sign(key, "join", statement, TunnelJson.Default.JoinStatement);

    public static string Sign(ECDsa key, AttachStatement statement) => Sign(key, "attach", statement, TunnelJson.Default.AttachStatement);

    public static string Sign(ECDsa key, CheckStatement statement) => Sign(key, "check", statement, TunnelJson.Default.CheckStatement);

    public static JoinStatement? OpenJoin(ECDsa key, string proof) => Open(key, "join", proof, TunnelJson.Default.JoinStatement);

    public static AttachStatement? OpenAttach(ECDsa key, string proof) => Open(key, "attach", proof, TunnelJson.Default.AttachStatement);

    public static CheckStatement? OpenCheck(ECDsa key, string proof) => Open(key, "check", proof, TunnelJson.Default.CheckStatement);

    /// <summary>128 random bits, base64url.</summary>
    public static string RandomId() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    public static string Digest(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static string Sign<T>(ECDsa key, string purpose, T statement, JsonTypeInfo<T> type)
    {
        var payload = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(statement, type));
        return $"{payload}.{Base64Url.EncodeToString(key.SignData(Signed(purpose, payload), HashAlgorithmName.SHA256))}";
    }

    private static T? Open<T>(ECDsa key, string purpose, string proof, JsonTypeInfo<T> type) where T : class
    {
        var dot = proof.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0 || proof.Length > 4096)
        {
            return null;
        }

        try
        {
            var signature = Base64Url.DecodeFromChars(proof.AsSpan(dot + 1));
            return key.VerifyData(Signed(purpose, proof[..dot]), signature, HashAlgorithmName.SHA256)
                ? JsonSerializer.Deserialize(Base64Url.DecodeFromChars(proof.AsSpan(0, dot)), type)
                : null;
        }
        catch (Exception e) when (e is FormatException or JsonException or CryptographicException)
        {
            return null;
        }
    }

    private static byte[] Signed(string purpose, string payload) =>
        Encoding.UTF8.GetBytes($"netautomation-connector-{purpose}-1\n{payload}");
}
