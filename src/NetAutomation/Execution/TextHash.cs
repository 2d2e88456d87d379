using System.Security.Cryptography;

namespace NetAutomation.Execution;

/// <summary>The hash of a configuration, as the service shows it and as the engine has it.</summary>
internal static class TextHash
{
    private const string Kind = "sha256:";

    public static string Of(byte[] text) => Kind + Convert.ToHexStringLower(SHA256.HashData(text));

    /// <summary>Of what was given to it so far.</summary>
    public static string Of(IncrementalHash text) => Kind + Convert.ToHexStringLower(text.GetCurrentHash());

    /// <summary>Its hexadecimal digits alone.</summary>
    public static string Digits(string hash) => hash[Kind.Length..];
}
