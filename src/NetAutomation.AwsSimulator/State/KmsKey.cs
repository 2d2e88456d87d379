using System.Security.Cryptography;

namespace NetAutomation.AwsSimulator.State;

/// <summary>A symmetric key of AWS KMS.</summary>
internal sealed class KmsKey(string id, string arn)
{
    public string Id => id;

    public string Arn => arn;

    /// <summary>Never leaves the simulator.</summary>
    public byte[] Material { get; } = RandomNumberGenerator.GetBytes(32);

    /// <summary>False: it encrypts and decrypts nothing.</summary>
    public bool Enabled { get; set; } = true;
}
