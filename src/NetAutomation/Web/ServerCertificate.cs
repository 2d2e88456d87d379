using System.Security.Cryptography.X509Certificates;

namespace NetAutomation.Web;

/// <summary>The service's certificate.</summary>
/// <param name="Certificate">Certificate with its private key.</param>
/// <param name="Chain">Intermediates to send along.</param>
/// <param name="ServerName">The name clients ask for.</param>
/// <param name="CaPem">The authority that clients trust.</param>
internal sealed record ServerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Chain, string ServerName, string CaPem);
