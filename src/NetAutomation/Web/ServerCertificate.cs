using System.Security.Cryptography.X509Certificates;

namespace NetAutomation.Web;

/// <summary>What the service proves itself with.</summary>
/// <param name="Certificate">Certificate with its private key.</param>
/// <param name="Chain">Intermediates to send along.</param>
/// <param name="ServerName">The name clients ask for.</param>
/// <param name="CaPem">What a client trusts to know the service by.</param>
internal sealed record ServerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Chain, string ServerName, string CaPem);
