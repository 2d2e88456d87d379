namespace NetAutomation.Tunnel;

/// <summary>
/// Why a connector was refused, in <see cref="TunnelProtocol.ReasonHeader"/>. A connector that has not proved its key gets one of the first
/// three.
/// </summary>
public static class RefusalReasons
{
    /// <summary>403: the VPC endpoint is bound to no tenant.</summary>
    public const string Endpoint = "endpoint";

    /// <summary>426.</summary>
    public const string Version = "version";

    /// <summary>401: not the key of a connector of the endpoint's tenant, or not a fresh proof for this service.</summary>
    public const string Proof = "proof";

    /// <summary>401: the proof was issued too long ago, or in the future.</summary>
    public const string Clock = "clock";

    /// <summary>403.</summary>
    public const string Revoked = "revoked";

    /// <summary>403: two instances of this connector were alive at once, so its key has been copied.</summary>
    public const string Cloned = "cloned";

    /// <summary>
    /// 409: a newer instance of this connector has attached. A second refusal proves that both run: then it is <see cref="Cloned"/>.
    /// </summary>
    public const string Superseded = "superseded";

    /// <summary>503: attach to another replica.</summary>
    public const string Draining = "draining";
}
