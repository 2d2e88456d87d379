namespace NetAutomation.Catalog.Model;

internal sealed record Block(string Slug, Guid Id);
