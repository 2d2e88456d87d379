// Short names for the identifiers; the tests compile this file too.
global using TenantId = NetAutomation.Id<NetAutomation.TenantKind>;
global using ApiKeyId = NetAutomation.Id<NetAutomation.ApiKeyKind>;
global using SiteId = NetAutomation.Id<NetAutomation.SiteKind>;
global using DeviceId = NetAutomation.Id<NetAutomation.DeviceKind>;
global using CredentialId = NetAutomation.Id<NetAutomation.CredentialKind>;
global using ConnectorId = NetAutomation.Id<NetAutomation.ConnectorKind>;
global using ConnectorSessionId = NetAutomation.Id<NetAutomation.ConnectorSessionKind>;
global using QuoteId = NetAutomation.Id<NetAutomation.QuoteKind>;
global using RunId = NetAutomation.Id<NetAutomation.RunKind>;
global using PurchaseId = NetAutomation.Id<NetAutomation.PurchaseKind>;
global using EntitlementId = NetAutomation.Id<NetAutomation.EntitlementKind>;
global using PriceVersionId = NetAutomation.Id<NetAutomation.PriceVersionKind>;
global using InvoiceId = NetAutomation.Id<NetAutomation.InvoiceKind>;
global using ScheduleId = NetAutomation.Id<NetAutomation.ScheduleKind>;
global using AgreementId = NetAutomation.Id<NetAutomation.AgreementKind>;
global using EndpointConnectionId = NetAutomation.Id<NetAutomation.EndpointConnectionKind>;
global using AuditId = NetAutomation.Id<NetAutomation.AuditKind>;
