using System.Diagnostics.Metrics;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>Shows when the certificate expires that customers and connectors see, so that a successor is there in time.</summary>
internal sealed class CertificateMetrics
{
    public CertificateMetrics(IMeterFactory meters, ServerCertificate certificate, TimeProvider clock) =>
        meters.Create(EdgeMetrics.MeterName).CreateObservableGauge(
            "netautomation.edge.certificate.expires",
            () => (certificate.Certificate.NotAfter.ToUniversalTime() - clock.GetUtcNow().UtcDateTime).TotalSeconds,
            "s", "Until the certificate that this process shows expires.");
}
